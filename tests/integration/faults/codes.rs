//! Who asks for ever new QR codes, each of which takes milliseconds of a processor.

use crate::support::operator::{metrics, start, value};
use crate::support::request;

#[tokio::test]
async fn who_asks_for_ever_new_codes_is_refused_and_others_are_not() {
    let config = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let (server, admin) = start(config);
    let ask = async |room: &str, client: &str| {
        let path = format!("/qr.svg?room={room}");
        let headers = [("X-Forwarded-For", client), ("X-Forwarded-Proto", "https")];
        request(server.https, &path, &headers).await
    };
    assert_eq!(ask("home", "203.0.113.1").await.status, 200);
    let mut refused = 0;
    for number in 0..300 {
        let answer = ask(&format!("room-{number}"), "203.0.113.1").await;
        match answer.status {
            200 => {}
            429 => {
                assert_eq!(answer.header("retry-after"), "1");
                refused += 1;
            }
            other => panic!("{other}"),
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20);
    // A code that is there is everybody's, and others have a share of their own.
    for _ in 0..30 {
        assert_eq!(ask("home", "203.0.113.1").await.status, 200);
    }
    assert_eq!(ask("theirs", "203.0.113.2").await.status, 200);
    let text = metrics(admin).await;
    let series = "callbox_refused_total{door=\"qr\",bound=\"rate\"}";
    assert_eq!(value(&text, series), "20");
}
