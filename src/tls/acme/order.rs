//! One order (RFC 8555 §7.4): proves that this server is who it says, and gets a certificate for it.

use std::time::Duration;

use anyhow::{Context, bail};
use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder,
    Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};

use super::challenges::{Challenges, Offer};
use super::remedy::{self, Proof};

/// How long validation may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// And issuing, which an authority may put off (`Retry-After`).
const ISSUED_WITHIN: Duration = Duration::from_secs(180);

/// How long to wait before a certificate that was issued is asked for again.
const COLLECTING_PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// The profile for addresses: authorities certify these for days only.
const SHORT_LIVED: &str = "shortlived";

/// Certificate chain and key, PEM.
pub(super) struct Issued {
    pub chain: String,
    pub key: String,
}

/// Orders a certificate for these identifiers, names or addresses.
///
/// # Errors
/// With what the authority says.
pub(super) async fn obtain(
    account: &Account,
    identifiers: &[Identifier],
    challenges: &Challenges,
    proof: Proof,
) -> anyhow::Result<Issued> {
    let mut new = NewOrder::new(identifiers);
    if wants_short_life(account, identifiers) {
        new = new.profile(SHORT_LIVED);
    }
    let mut order = account.new_order(&new).await.context("no order")?;
    let offers = prove(&mut order, challenges, proof).await?;
    let patience = RetryPolicy::new().timeout(PATIENCE);
    let status = order.poll_ready(&patience).await;
    if !matches!(status, Ok(OrderStatus::Ready)) {
        return Err(refusal(&mut order, proof, status.err()).await);
    }
    drop(offers);
    let (request, key) = signing_request(identifiers)?;
    let chain = collect(&mut order, &request)
        .await
        .context("no certificate")?;
    Ok(Issued { chain, key })
}

/// Lets the authority issue what it was convinced of, and fetches that; again where an answer was lost: another order would
/// be charged against the authority's limits, and the certificate may be there already.
async fn collect(order: &mut Order, request: &[u8]) -> Result<String, Error> {
    let mut pauses = COLLECTING_PAUSES.iter();
    loop {
        let error = match issue(order, request).await {
            Ok(chain) => return Ok(chain),
            Err(error) => error,
        };
        let Some(pause) = pauses.next().filter(|_| passes(&error)) else {
            return Err(error);
        };
        tracing::debug!(%error, ?pause, "the certificate is asked for again");
        tokio::time::sleep(*pause).await;
        // What the answer would have said; where this is lost too, the order is as it was.
        let _ = order.refresh().await;
        if order.state().status == OrderStatus::Invalid {
            return Err(error);
        }
    }
}

/// Was an answer lost, or the authority in trouble of its own? Else it means what it says.
fn passes(error: &Error) -> bool {
    match error {
        Error::Api(problem) => {
            let kind = problem.r#type.as_deref().unwrap_or_default();
            ["badNonce", "serverInternal", "orderNotReady"]
                .iter()
                .any(|each| kind.ends_with(each))
        }
        Error::Timeout(_) => false,
        _ => true,
    }
}

/// # Errors
/// Where the order has ended, or an answer was lost.
async fn issue(order: &mut Order, request: &[u8]) -> Result<String, Error> {
    if order.state().status == OrderStatus::Ready {
        order.finalize_csr(request).await?;
    }
    let patience = RetryPolicy::new().timeout(ISSUED_WITHIN);
    order.poll_certificate(&patience).await
}

fn wants_short_life(account: &Account, identifiers: &[Identifier]) -> bool {
    let has_address = identifiers
        .iter()
        .any(|each| matches!(each, Identifier::Ip(_)));
    has_address
        && account
            .profiles()
            .any(|profile| profile.name == SHORT_LIVED)
}

/// Offers what the authority will ask for, and tells it that it may.
async fn prove(
    order: &mut Order,
    challenges: &Challenges,
    proof: Proof,
) -> anyhow::Result<Vec<Offer>> {
    let mut offers = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let authorization = authorization.context("no authorization")?;
        match authorization.status {
            AuthorizationStatus::Valid => {}
            AuthorizationStatus::Pending => {
                offers.push(prove_one(authorization, challenges, proof).await?);
            }
            ref other => bail!("an authorization is {other:?}"),
        }
    }
    Ok(offers)
}

async fn prove_one(
    mut authorization: AuthorizationHandle<'_>,
    challenges: &Challenges,
    proof: Proof,
) -> anyhow::Result<Offer> {
    let kind = match proof {
        Proof::Http => ChallengeType::Http01,
        Proof::Tls => ChallengeType::TlsAlpn01,
    };
    let mut challenge = authorization
        .challenge(kind)
        .with_context(|| format!("the authority offers no {}", proof.name()))?;
    let authorized = challenge.key_authorization();
    let offer = match proof {
        Proof::Http => challenges.offer_file(&challenge.token, authorized.as_str()),
        Proof::Tls => {
            let identifier = challenge.identifier().to_string();
            challenges.offer_certificate(&identifier, authorized.digest().as_ref())?
        }
    };
    challenge.set_ready().await.context("no validation")?;
    Ok(offer)
}

/// Why the authority is not convinced, in its own words.
async fn refusal(order: &mut Order, proof: Proof, error: Option<Error>) -> anyhow::Error {
    let mut reasons = Vec::new();
    let mut kind = None;
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let identifier = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        let problems = state
            .challenges
            .iter()
            .filter_map(|each| each.error.as_ref());
        for problem in problems {
            let text = problem.detail.as_deref().unwrap_or("no reason given");
            reasons.push(format!("{identifier}: {text}"));
            kind = kind.or_else(|| problem.r#type.clone());
        }
    }
    match (reasons.is_empty(), error) {
        (false, _) => {
            let known = kind.as_deref().and_then(remedy::for_problem);
            let what = known.unwrap_or_else(|| remedy::for_proof(proof));
            anyhow::anyhow!("{}; {what}", reasons.join("; "))
        }
        (true, Some(error)) => anyhow::Error::from(error).context("not validated"),
        (true, None) => anyhow::anyhow!(
            "not validated, and no reason given; the authority is asked again by itself"
        ),
    }
}

/// A request for a certificate with a fresh key: the request's DER, and the key's PEM.
fn signing_request(identifiers: &[Identifier]) -> anyhow::Result<(Vec<u8>, String)> {
    let names: Vec<_> = identifiers.iter().filter_map(text_of).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let request = params.serialize_request(&key)?;
    Ok((request.der().to_vec(), key.serialize_pem()))
}

fn text_of(identifier: &Identifier) -> Option<String> {
    match identifier {
        Identifier::Dns(name) => Some(name.clone()),
        Identifier::Ip(ip) => Some(ip.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
