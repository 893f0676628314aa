//! The operator's listener: metrics for Prometheus, and health. Nothing in it names a person or a room.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics::{Unit, counter, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::signaling::Hub;
use crate::tls::Served;
use crate::turn::Relay;
use crate::turn::counters::{Drop, Flow};

/// The text format that Prometheus reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is asked when metrics are.
pub struct Sources {
    pub hub: Arc<Hub>,
    pub relay: Option<Arc<Relay>>,
    pub served: Served,
}

struct Admin {
    sources: Sources,
    metrics: PrometheusHandle,
    started: Instant,
}

/// Starts to record. Called once.
///
/// # Errors
/// When somebody records already.
pub fn record() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    describe();
    gauge!("callbox_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Serves until the runtime ends.
///
/// # Errors
/// When the listener cannot be registered with the runtime.
pub async fn serve(
    listener: std::net::TcpListener,
    metrics: PrometheusHandle,
    sources: Sources,
) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let admin = Arc::new(Admin {
        sources,
        metrics,
        started: Instant::now(),
    });
    let router = Router::new()
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(health))
        .with_state(admin);
    axum::serve(listener, router).await?;
    Ok(())
}

/// `GET /metrics`
async fn metrics_text(State(admin): State<Arc<Admin>>) -> Response {
    admin.look();
    ([(CONTENT_TYPE, TEXT)], admin.metrics.render()).into_response()
}

/// `GET /healthz`
async fn health(State(admin): State<Arc<Admin>>) -> Response {
    if admin.sources.hub.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

impl Admin {
    /// What is counted elsewhere is taken over at the moment of the question.
    #[expect(clippy::cast_precision_loss, reason = "as gauges are")]
    fn look(&self) {
        let census = self.sources.hub.census();
        gauge!("callbox_rooms").set(census.rooms as f64);
        gauge!("callbox_calls").set(census.calls as f64);
        gauge!("callbox_people").set(census.people as f64);
        gauge!("callbox_websockets").set(census.websockets as f64);
        let not_after = self.sources.served.facts().not_after;
        let not_after = not_after.duration_since(UNIX_EPOCH).unwrap_or_default();
        gauge!("callbox_certificate_not_after_timestamp_seconds").set(not_after.as_secs_f64());
        let trusted = self.sources.served.trust().get();
        gauge!("callbox_certificate_trusted").set(f64::from(u8::from(trusted)));
        let begin = SystemTime::now() - self.started.elapsed();
        let begin = begin.duration_since(UNIX_EPOCH).unwrap_or_default();
        gauge!("callbox_start_timestamp_seconds").set(begin.as_secs_f64().round());
        if let Some(relay) = &self.sources.relay {
            look_at_relay(relay);
        }
    }
}

fn look_at_relay(relay: &Relay) {
    let totals = relay.totals();
    for flow in Flow::ALL {
        let (index, name) = (*flow as usize, flow.name());
        counter!("callbox_turn_relayed_packets_total", "way" => name)
            .absolute(totals.packets[index]);
        counter!("callbox_turn_relayed_bytes_total", "way" => name).absolute(totals.bytes[index]);
    }
    for reason in Drop::ALL {
        counter!("callbox_turn_dropped_packets_total", "reason" => reason.name())
            .absolute(totals.drops[*reason as usize]);
    }
    counter!("callbox_turn_answers_total").absolute(totals.answers);
}

/// Name, kind and meaning of all that is recorded.
fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge};
    gauge!("callbox_build_info", "The version that runs.");
    gauge!(
        "callbox_start_timestamp_seconds",
        Unit::Seconds,
        "When it was started."
    );
    gauge!("callbox_rooms", "Rooms in which somebody is.");
    gauge!("callbox_calls", "Rooms in which two or more are.");
    gauge!(
        "callbox_people",
        "Seats in rooms, those of people who may come back included."
    );
    gauge!("callbox_websockets", "Open WebSockets.");
    counter!(
        "callbox_websocket_messages_total",
        "Messages over WebSockets."
    );
    counter!(
        "callbox_signaling_refusals_total",
        "Messages that were answered with an error."
    );
    counter!(
        "callbox_connections_refused_total",
        "TCP connections beyond the bounds."
    );
    counter!(
        "callbox_handshake_failures_total",
        "TCP connections that said nothing usable in time."
    );
    gauge!(
        "callbox_certificate_not_after_timestamp_seconds",
        Unit::Seconds,
        "When the served certificate ends."
    );
    gauge!(
        "callbox_certificate_trusted",
        "Do browsers trust the served certificate?"
    );
    counter!(
        "callbox_acme_orders_total",
        "Certificates that were asked for."
    );
    counter!("callbox_access_logins_total", "Passwords that were tried.");
    gauge!("callbox_turn_allocations", "Allocations of the relay.");
    counter!(
        "callbox_turn_allocations_total",
        "Allocations that were made."
    );
    counter!(
        "callbox_turn_refused_allocations_total",
        "Allocations that a quota or a lack of ports forbade."
    );
    counter!(
        "callbox_turn_relayed_packets_total",
        "Packets that were relayed."
    );
    counter!(
        "callbox_turn_relayed_bytes_total",
        Unit::Bytes,
        "Bytes that were relayed."
    );
    counter!(
        "callbox_turn_dropped_packets_total",
        "Packets that went nowhere."
    );
    counter!(
        "callbox_turn_answers_total",
        "Answers of the relay to requests."
    );
}
