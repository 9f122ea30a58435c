// Runs in a frame: does what a user, a script or time could do to each element, so that nothing that was put in
// stays asleep. Events are made for every handler that an element has, whatever it is called.

(() => {
  // Handlers of animations are called otherwise than their events.
  const EVENT_NAMES = {
    begin: "beginEvent",
    end: "endEvent",
    repeat: "repeatEvent",
    webkitanimationstart: "webkitAnimationStart",
    webkitanimationend: "webkitAnimationEnd",
  };
  const quietly = (act) => {
    try {
      act();
    } catch {
      // An element that cannot be clicked or focused proves nothing either way.
    }
  };
  const elements = () => {
    const found = [];
    const collect = (root) => {
      for (const element of root.querySelectorAll("*")) {
        found.push(element);
        if (element.shadowRoot) collect(element.shadowRoot);
      }
    };
    collect(document);
    return found;
  };
  const fire = (element, name) => {
    const type = EVENT_NAMES[name] ?? name;
    quietly(() => element.dispatchEvent(new Event(type, { bubbles: true, cancelable: true })));
  };
  const fireHandlers = (element) => {
    for (const { name } of [...element.attributes]) {
      if (/^on/i.test(name)) fire(element, name.slice(2).toLowerCase());
    }
  };
  const use = (element) => {
    quietly(() => element.focus?.());
    quietly(() => element.showPopover?.());
    quietly(() => {
      if (element.localName === "details") element.open = true;
    });
    quietly(() => element.play?.()?.catch(() => {}));
    fireHandlers(element);
    quietly(() => element.blur?.());
  };
  // Whether a click leads to what the click is meant for, a page on the Web. All others are clicked.
  const leadsToAPage = (link) => {
    const address = link.href?.animVal ?? link.href ?? link.getAttribute("href") ?? "";
    return /^https?:/.test(new URL(address, document.baseURI).protocol) && !link.hasAttribute("ping");
  };
  const follow = (link) =>
    quietly(() => {
      if (!leadsToAPage(link)) link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, view: window }));
    });
  const submit = (control) =>
    quietly(() => {
      const form = control.form ?? control;
      const isButton = control !== form;
      const leads = form?.hasAttribute?.("action") || (isButton && control.hasAttribute("formaction"));
      if (!leads) return;
      form.noValidate = true;
      form.requestSubmit(isButton && /^(submit|image)$/.test(control.type) ? control : undefined);
    });
  const all = elements();
  all.forEach(use);
  for (const element of all) {
    if (element.matches("a, area") || element.localName === "a") follow(element);
    if (element.matches("form, button, input")) submit(element);
  }
})();
