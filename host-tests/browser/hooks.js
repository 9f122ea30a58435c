// Runs in every frame before anything else does: whatever an attack calls to show that it runs is reported.

(() => {
  const report = window.__report;
  const ran = (what) => {
    // In a frame whose document was replaced the binding may be gone; the message is then the console's.
    if (typeof report === "function") report(what);
    else console.error(`ran: ${what}`);
  };
  for (const name of ["alert", "confirm", "prompt", "print"]) {
    window[name] = () => ran(`${name}()`);
  }
})();
