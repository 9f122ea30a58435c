//! Logs as services print them all day. The texts of the corpus are others: they come near to having a secret.

use corpus::Chance;

/// Lines of programs that clusters run. `#` is a digit, `~` a hexadecimal one.
const LINES: [&str; 10] = [
    r#"I1102 ##:14:##.######       1 controller.go:###] "Reconciling object" controller="deployment" namespace="checkout" name="cart-~~~~~~~~~-~~~~~" reconcileID="~~~~~~~~-~~~~-~~~~-~~~~-~~~~~~~~~~~~""#,
    r#"{"level":"info","ts":"2026-11-02T##:##:##.###Z","logger":"http","msg":"request completed","method":"GET","path":"/api/v1/orders/#####","status":200,"duration_ms":###,"trace_id":"~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~","remote":"10.#.##.##"}"#,
    r#"10.##.#.### - - [02/Nov/2026:08:##:## +0000] "GET /static/js/app.~~~~~~~~.js HTTP/1.1" 200 ##### "https://shop.example.com/cart" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36""#,
    "2026-11-02T##:##:##.###Z WARN  [inventory-worker-#] com.example.orders.OrderService - Retrying request to http://shipping.prod.svc.cluster.local:8080/v1/items after # failed attempts: connection refused",
    "\tat com.example.orders.OrderRepository.findById(OrderRepository.java:###)",
    r#"level=error ts=2026-11-02T##:##:##.###Z caller=scrape.go:### component="scrape manager" scrape_pool=kubernetes-pods target=http://10.0.#.##:9090/metrics err="Get \"http://10.0.0.1:9090/metrics\": context deadline exceeded""#,
    "Warning  BackOff    ##m (x## over #h)  kubelet            Back-off restarting failed container app in pod search-~~~~~~~~~-~~~~~_prod(~~~~~~~~-~~~~-~~~~-~~~~-~~~~~~~~~~~~)",
    "[#####.######] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=cri-containerd-~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~.scope,mems_allowed=0,task=java,pid=#####,uid=1000",
    "2026-11-02T##:##:##.###Z INFO  Started OrderApplication in ##.### seconds (process running for ##.##)",
    r#"time="2026-11-02T##:##:##Z" level=info msg="pulled image registry.example.com/team/payment-api@sha256:~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ in #.##s""#,
];

/// So many bytes of them, or a few more.
pub(super) fn ordinary(bytes: usize) -> String {
    let mut chance = Chance::seeded(5);
    let mut text = String::new();
    while text.len() < bytes {
        for letter in chance.of(&LINES).chars() {
            match letter {
                '#' => text.push_str(&chance.text("0123456789", 1)),
                '~' => text.push_str(&chance.text("0123456789abcdef", 1)),
                _ => text.push(letter),
            }
        }
        text.push('\n');
    }
    text
}
