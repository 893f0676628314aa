//! The operator's listener: a page that shows what goes on, metrics for Prometheus, and health. Nothing in it names a
//! person or a room.

mod chart;
mod cpu;
mod described;
mod door;
mod history;
mod host;
mod memory;
mod status;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use callbox_turn::{CODES, DropReason, FailedLogin};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use history::{History, STEP, Sample};

use crate::front;
use crate::refused;
use crate::signaling::{self, Hub};
use crate::tls::Served;
use crate::turn::counters::{self, Flow};
use crate::turn::{self, Relay};

/// The text format that Prometheus reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is asked when metrics are.
pub(crate) struct Sources {
    pub hub: Arc<Hub>,
    pub relay: Option<Arc<Relay>>,
    pub served: Served,
}

struct Admin {
    sources: Sources,
    metrics: PrometheusHandle,
    started: Instant,
    history: Mutex<History>,
}

/// Starts to record. Called once.
///
/// # Errors
/// When somebody records already.
pub(crate) fn record() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    described::describe();
    refused::count_from_zero();
    front::count_from_zero();
    signaling::count_from_zero();
    turn::count_from_zero();
    gauge!("callbox_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Serves until the runtime ends. `names`: under which it is asked, beside addresses and `localhost`.
///
/// # Errors
/// When the listener cannot be registered with the runtime.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    names: Vec<String>,
    metrics: PrometheusHandle,
    sources: Sources,
) -> anyhow::Result<Infallible> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let admin = Arc::new(Admin {
        sources,
        metrics,
        started: Instant::now(),
        history: Mutex::default(),
    });
    let remembering = Arc::clone(&admin);
    tokio::spawn(async move {
        let mut steps = tokio::time::interval(STEP);
        loop {
            steps.tick().await;
            remembering.remember();
        }
    });
    let router = Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(health))
        .with_state(admin);
    Ok(door::serve(listener, router, names).await)
}

/// `GET /`
async fn page(State(admin): State<Arc<Admin>>) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, admin.page()).into_response()
}

/// `GET /metrics`
async fn metrics_text(State(admin): State<Arc<Admin>>) -> Response {
    admin.look();
    ([(CONTENT_TYPE, TEXT)], admin.metrics.render()).into_response()
}

/// `GET /healthz`
async fn health(State(admin): State<Arc<Admin>>) -> Response {
    let hub = &admin.sources.hub;
    if hub.is_stopping() || hub.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

impl Admin {
    fn page(&self) -> String {
        let Sources { hub, served, .. } = &self.sources;
        let now = status::Now {
            census: hub.census(),
            rooms: hub.room_sizes(),
            allocations: self.allocations(),
            certificate: &served.facts(),
            trusted: served.trust().get(),
            uptime: self.started.elapsed(),
            draining: hub.is_draining(),
            at: SystemTime::now(),
        };
        status::page(
            &now,
            &self.history.lock().unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn remember(&self) {
        let relayed = self.sources.relay.as_ref().map(|relay| relay.totals());
        let sample = Sample {
            people: self.sources.hub.census().people,
            allocations: self.allocations(),
            relayed_bytes: relayed.map_or(0, |totals| totals.bytes.iter().sum()),
            cpu: cpu::process().unwrap_or_default(),
        };
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.push(sample);
    }

    fn allocations(&self) -> usize {
        self.sources
            .relay
            .as_ref()
            .map_or(0, |relay| relay.allocations())
    }

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
        if let Some(resident) = memory::resident() {
            gauge!("process_resident_memory_bytes").set(resident as f64);
        }
        gauge!("callbox_memory_limit_bytes").set(memory::limit() as f64);
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
    for reason in DropReason::ALL {
        counter!("callbox_turn_dropped_packets_total", "reason" => reason.name())
            .absolute(totals.drops[*reason as usize]);
    }
    counter!("callbox_turn_answers_total").absolute(totals.answers);
    for (code, count) in CODES.iter().zip(totals.refusals) {
        counter!("callbox_turn_refusals_total", "code" => code.to_string()).absolute(count);
    }
    for (reason, count) in FailedLogin::ALL.iter().zip(totals.failed_logins) {
        counter!("callbox_turn_failed_logins_total", "reason" => counters::label(*reason))
            .absolute(count);
    }
    for (shard, used) in cpu::shards() {
        gauge!("callbox_turn_shard_cpu_seconds", "shard" => shard).set(used.as_secs_f64());
    }
}
