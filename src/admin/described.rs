//! What each metric means.

use metrics::Unit;

/// Name, kind and meaning of all that is recorded.
pub(super) fn describe() {
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
        "callbox_refused_total",
        "What was refused, by the door and by the bound that was reached there."
    );
    counter!(
        "callbox_websocket_closes_total",
        "WebSockets that the server closed, by close code (docs/signaling.md)."
    );
    gauge!(
        "process_resident_memory_bytes",
        Unit::Bytes,
        "Memory that the process takes."
    );
    gauge!(
        "callbox_memory_limit_bytes",
        Unit::Bytes,
        "Memory that the process may take: of its control group, or of the machine."
    );
    counter!(
        "callbox_connections_evicted_total",
        "TCP connections of no use that had to go for others."
    );
    counter!(
        "callbox_handshakes_delayed_total",
        "TLS handshakes that had to wait, since their address asked for too many."
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
        "callbox_signaling_evicted_total",
        "WebSockets in no room, and rooms of one, that had to go for others."
    );
    counter!(
        "callbox_turn_evicted_allocations_total",
        "Allocations that relayed nothing and had to go for others."
    );
    counter!(
        "callbox_turn_refused_peers_total",
        "Peers whose address leads to this machine, nowhere, or who knows where."
    );
    counter!(
        "callbox_turn_withdrawn_total",
        "Permissions and channels that ended since their peer is refused now."
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
    counter!(
        "callbox_turn_refusals_total",
        "Requests to the relay that were refused, by STUN error code."
    );
    counter!(
        "callbox_turn_failed_logins_total",
        "Requests to the relay whose credentials were not right, by reason."
    );
    gauge!(
        "callbox_turn_shard_cpu_seconds",
        Unit::Seconds,
        "Processor time of each thread of the relay."
    );
}
