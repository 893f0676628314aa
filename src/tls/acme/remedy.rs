//! What an operator can do where an authority refuses. Pure.

use instant_acme::Error;

/// How the authority is to convince itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// http-01, on port 80.
    Http,
    /// tls-alpn-01, on port 443.
    Tls,
}

impl Proof {
    /// The challenge's type (RFC 8555 §8.3, RFC 8737).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http-01",
            Self::Tls => "tls-alpn-01",
        }
    }
}

/// Where it was not convinced.
pub(super) fn for_proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Http => {
            "the names must lead to this machine, and its port 80 ([http] redirect) must be open to the world, in the firewall and in the provider's"
        }
        Proof::Tls => {
            "the names must lead to this machine, and its port 443 (listen) must be open to the world, in the firewall and in the provider's"
        }
    }
}

/// For a refusal, by the type of its problem (RFC 8555 §6.7); `None` where there is nothing to do but ask again, which
/// happens by itself.
pub(super) fn for_refusal(error: &anyhow::Error) -> Option<&'static str> {
    for_problem(problem(error)?)
}

/// For what an authority says, by its type; `None` as for [`for_refusal`].
pub(super) fn for_problem(kind: &str) -> Option<&'static str> {
    Some(match kind.rsplit(':').next()? {
        "rateLimited" => {
            "wait, it is asked again by itself; to try something meanwhile let `[tls.acme] directory` name its staging environment"
        }
        "rejectedIdentifier" | "unsupportedIdentifier" => {
            "let `domains` name what this authority certifies, or `[tls.acme] directory` another one"
        }
        "caa" => "let the CAA record of the name allow this authority",
        "dns" => {
            "see that the names of `domains` lead to this machine: `callbox check` says where they do"
        }
        "invalidContact" | "unsupportedContact" => "correct `[tls.acme] email`",
        "externalAccountRequired" => {
            "choose an authority that takes accounts which it does not know: `[tls.acme] directory`"
        }
        "userActionRequired" => "do what it asks for",
        _ => return None,
    })
}

/// The type of what the authority says, if it is that.
pub(super) fn problem(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(Error::Api(problem)) => problem.r#type.as_deref(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: &str) -> anyhow::Error {
        let problem = serde_json::json!({
            "type": format!("urn:ietf:params:acme:error:{kind}"),
            "detail": "no",
        });
        let error = Error::Api(serde_json::from_value(problem).unwrap());
        anyhow::Error::from(error).context("no order")
    }

    #[test]
    fn each_refusal_that_somebody_can_mend_has_its_remedy() {
        for (kind, remedy) in [
            ("rateLimited", "staging"),
            ("rejectedIdentifier", "`domains`"),
            ("caa", "CAA record"),
            ("dns", "callbox check"),
            ("invalidContact", "email"),
            ("externalAccountRequired", "directory"),
        ] {
            let said = for_refusal(&refused(kind)).unwrap();
            assert!(said.contains(remedy), "{kind}: {said}");
        }
        assert_eq!(for_problem("urn:ietf:params:acme:error:connection"), None);
        assert_eq!(for_refusal(&refused("serverInternal")), None);
        assert_eq!(for_refusal(&anyhow::anyhow!("gone")), None);
    }
}
