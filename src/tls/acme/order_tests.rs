//! Orders from an authority in memory, whose orders are ready at once.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient, NewAccount};
use serde_json::json;

use super::*;

const CHAIN: &str = "the certificate";

/// What it was asked for, and what comes before the certificate.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<String>>>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

#[derive(Clone, Copy)]
enum Fault {
    /// A problem document (RFC 7807) of this type and status.
    Problem(&'static str, u16),
    Unreachable,
}

const BAD_NONCE: Fault = Fault::Problem("badNonce", 400);

impl Fake {
    fn failing(faults: &[Fault]) -> Self {
        let fake = Self::default();
        fake.faults.lock().unwrap().extend(faults);
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
        let order = |status: &str| {
            json!({ "status": status, "authorizations": [], "finalize": "https://acme/finalize",
                "certificate": "https://acme/certificate" })
        };
        let issued = if self.times_asked("/finalize") > 0 {
            "valid"
        } else {
            "ready"
        };
        let (status, body) = match path {
            "/directory" => {
                let directory = json!({ "newNonce": "https://acme/nonce",
                    "newAccount": "https://acme/account", "newOrder": "https://acme/orders" });
                (200, directory.to_string())
            }
            "/nonce" => (200, String::new()),
            "/account" => (201, json!({ "status": "valid" }).to_string()),
            "/orders" => (201, order("ready").to_string()),
            "/certificate" => match self.faults.lock().unwrap().pop_front() {
                None => (200, CHAIN.to_owned()),
                Some(Fault::Unreachable) => return Err(Error::Str("it does not answer")),
                Some(Fault::Problem(kind, status)) => {
                    let kind = format!("urn:ietf:params:acme:error:{kind}");
                    (status, json!({ "type": kind, "detail": kind }).to_string())
                }
            },
            _ => (200, order(issued).to_string()),
        };
        let response = Response::builder()
            .status(status)
            .header("Replay-Nonce", "n")
            .header("Location", "https://acme/order");
        Ok(response.body(Body::from(body)).unwrap())
    }
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
    let fake = Fake::failing(&[
        BAD_NONCE,
        BAD_NONCE,
        BAD_NONCE,
        Fault::Problem("serverInternal", 500),
        Fault::Unreachable,
    ]);
    let issued = fake.obtain().await.unwrap();
    assert_eq!(issued.chain, CHAIN);
    assert_eq!(fake.times_asked("/certificate"), 6);
    assert_eq!(fake.times_asked("/orders"), 1);
    assert_eq!(fake.times_asked("/finalize"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_never_comes_is_given_up() {
    let fake = Fake::failing(&[Fault::Unreachable; 99]);
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
