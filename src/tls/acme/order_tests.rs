//! Orders from an authority in memory, whose orders are ready at once.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient, NewAccount};
use serde_json::json;

use super::*;

const CHAIN: &str = "the certificate";

/// What it was asked for, and what comes instead of answers.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<String>>>,
    /// By path.
    faults: Arc<Mutex<HashMap<&'static str, VecDeque<Fault>>>>,
    finalized: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
enum Fault {
    /// A problem document (RFC 7807) of this type and status.
    Problem(&'static str, u16),
    /// What was asked for is done, but nobody hears of it.
    AnswerLost,
    Unreachable,
}

const BAD_NONCE: Fault = Fault::Problem("badNonce", 400);

impl Fake {
    fn failing(path: &'static str, faults: &[Fault]) -> Self {
        let fake = Self::default();
        let faults = faults.iter().copied().collect();
        fake.faults.lock().unwrap().insert(path, faults);
        fake
    }

    async fn obtain(&self) -> anyhow::Result<Issued> {
        let nobody = NewAccount {
            contact: &[],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, _) = Account::builder_with_http(Box::new(self.clone()))
            .create(&nobody, "https://acme/directory".into(), None)
            .await?;
        let identifiers = [Identifier::Dns("call.example.com".into())];
        obtain(&account, &identifiers, &Challenges::default(), Proof::Http).await
    }

    fn times_asked(&self, path: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|each| *each == path).count()
    }

    fn answer(&self, path: &str) -> Result<Response<Body>, Error> {
        let mut faults = self.faults.lock().unwrap();
        let fault = faults.get_mut(path).and_then(VecDeque::pop_front);
        let (status, body) = match fault {
            Some(Fault::Unreachable) => return Err(silence()),
            Some(Fault::Problem(kind, status)) => {
                let kind = format!("urn:ietf:params:acme:error:{kind}");
                (status, json!({ "type": kind, "detail": kind }).to_string())
            }
            Some(Fault::AnswerLost) => {
                self.do_what(path);
                return Err(silence());
            }
            None => self.do_what(path),
        };
        let response = Response::builder()
            .status(status)
            .header("Replay-Nonce", "n")
            .header("Location", "https://acme/order");
        Ok(response.body(Body::from(body)).unwrap())
    }

    fn do_what(&self, path: &str) -> (u16, String) {
        if path == "/finalize" {
            assert!(!self.finalized.swap(true, Ordering::Relaxed), "once only");
        }
        let finalized = self.finalized.load(Ordering::Relaxed);
        let status = if finalized { "valid" } else { "ready" };
        let order = json!({ "status": status, "authorizations": [],
            "finalize": "https://acme/finalize", "certificate": "https://acme/certificate" });
        let directory = json!({ "newNonce": "https://acme/nonce",
            "newAccount": "https://acme/account", "newOrder": "https://acme/orders" });
        match path {
            "/directory" => (200, directory.to_string()),
            "/nonce" => (200, String::new()),
            "/account" => (201, json!({ "status": "valid" }).to_string()),
            "/orders" => (201, order.to_string()),
            "/certificate" => (200, CHAIN.to_owned()),
            _ => (200, order.to_string()),
        }
    }
}

fn silence() -> Error {
    Error::Str("it does not answer")
}

impl HttpClient for Fake {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let path = request.uri().path().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        let answer = self.answer(&path).map(BytesResponse::from);
        Box::pin(std::future::ready(answer))
    }
}

#[tokio::test(start_paused = true)]
async fn an_issued_certificate_is_asked_for_again_rather_than_ordered_again() {
    // Three refused nonces are what the library bears by itself.
    let faults = [
        BAD_NONCE,
        BAD_NONCE,
        BAD_NONCE,
        Fault::Problem("serverInternal", 500),
        Fault::Unreachable,
    ];
    let fake = Fake::failing("/certificate", &faults);
    let issued = fake.obtain().await.unwrap();
    assert_eq!(issued.chain, CHAIN);
    assert_eq!(fake.times_asked("/certificate"), 6);
    assert_eq!(fake.times_asked("/orders"), 1);
    assert_eq!(fake.times_asked("/finalize"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_never_comes_is_given_up() {
    let fake = Fake::failing("/certificate", &[Fault::Unreachable; 99]);
    let error = fake.obtain().await.err().unwrap();
    assert!(
        format!("{error:#}").contains("it does not answer"),
        "{error:#}"
    );
    assert_eq!(
        fake.times_asked("/certificate"),
        1 + COLLECTING_PAUSES.len()
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_does_not_end_the_order() {
    for lost in [Fault::AnswerLost, Fault::Unreachable] {
        let fake = Fake::failing("/finalize", &[lost]);
        let issued = fake.obtain().await.unwrap();
        assert_eq!(issued.chain, CHAIN);
        assert_eq!(fake.times_asked("/orders"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_authority_refuses_is_not_asked_for_again() {
    let refusal = Fault::Problem("badCSR", 400);
    let fake = Fake::failing("/finalize", &[refusal; 9]);
    let error = fake.obtain().await.err().unwrap();
    assert!(format!("{error:#}").contains("badCSR"), "{error:#}");
    assert_eq!(fake.times_asked("/finalize"), 1);
}
