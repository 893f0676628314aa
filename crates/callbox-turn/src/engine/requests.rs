//! Allocate, Refresh, `CreatePermission` and `ChannelBind` (RFC 8656 §7 to §12).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::allocation::{Allocation, Birth, CHANNEL_LIFETIME, Channel, PERMISSION_LIFETIME};
use super::auth::Denied;
use super::deadlines::Deadline;
use super::reply::Refusal;
use super::{
    Account, AllocationId, Client, End, Ended, Engine, Host, NoRelay, Now, Order, Users, Verdict,
    Wish,
};
use crate::channel_data;
use crate::wire::{Answer, Method, Request};

/// RFC 8656 §3.2.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// RFC 8656 §7.2 lets the server choose.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
const UDP: u8 = 17;
const IPV4: u8 = 1;
const IPV6: u8 = 2;

impl<U: Users> Engine<U> {
    /// Everything but Binding: only for those with credentials.
    pub(super) fn request(
        &mut self,
        host: &mut impl Host<U::User>,
        client: Client,
        mut request: Request,
        length: usize,
        now: Now,
    ) -> Verdict {
        let account = match self.authenticate(client, &mut request, now) {
            Ok(account) => account,
            Err(Denied::Refused(refusal)) => {
                return self.refuse(client, &request, length, &refusal, None, now.instant);
            }
            Err(Denied::Ignored(why)) => return Verdict::Drop(why),
        };
        let key = account.key;
        match self.carry_out(host, client, &request, account, now.instant) {
            Ok(answer) => Verdict::Answer(answer.finish(Some(&key))),
            Err(refusal) => {
                self.refuse(client, &request, length, &refusal, Some(&key), now.instant)
            }
        }
    }

    fn carry_out(
        &mut self,
        host: &mut impl Host<U::User>,
        client: Client,
        request: &Request,
        account: Account<U::User>,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        if !request.unknown.is_empty() {
            return Err(Refusal::unknown_attribute());
        }
        if request.attributes.malformed {
            return Err(Refusal::bad_request());
        }
        if request.method == Method::Allocate {
            return self.allocate(host, client, request, account, now);
        }
        let id = *self
            .by_client
            .get(&client)
            .ok_or(Refusal::allocation_mismatch())?;
        let username = request.username.as_deref();
        if username != Some(&*self.allocations[id.0 as usize].username) {
            return Err(Refusal::wrong_credentials());
        }
        match request.method {
            Method::Refresh => self.refresh(host, id, request, now),
            Method::CreatePermission => self.create_permission(host, id, request, now),
            _ => self.bind_channel(host, id, request, now),
        }
    }

    fn allocate(
        &mut self,
        host: &mut impl Host<U::User>,
        client: Client,
        request: &Request,
        account: Account<U::User>,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        if let Some(id) = self.by_client.get(&client) {
            let running = &self.allocations[id.0 as usize];
            // The answer may have been lost on its way (RFC 8656 §7.2).
            let repeated =
                running.transaction == request.transaction && running.account.key == account.key;
            return repeated
                .then(|| allocated(request, running))
                .ok_or(Refusal::allocation_mismatch());
        }
        let (ipv6, wish) = order(request)?;
        let username = request.username.as_deref().unwrap_or_default();
        let id = AllocationId(u32::try_from(self.allocations.vacant_key()).unwrap_or(u32::MAX));
        let order = Order {
            client,
            user: &account.user,
            ipv6,
            wish,
        };
        let relayed = host.open(id, &order).map_err(|problem| match problem {
            NoRelay::Family => Refusal::family_not_supported(),
            NoRelay::Quota => Refusal::quota_reached(),
            NoRelay::Capacity => Refusal::insufficient_capacity(),
        })?;
        let allocation = Allocation::new(Birth {
            client,
            standing: self
                .rules
                .policy
                .standing(client.address.ip(), client.proxied),
            username,
            account,
            transaction: request.transaction,
            lifetime: granted(request),
            token: relayed.token,
            relayed: relayed.address,
            bound: relayed.bound,
            now,
        });
        let answer = allocated(request, &allocation);
        self.begin(id, allocation);
        Ok(answer)
    }

    fn begin(&mut self, id: AllocationId, allocation: Allocation<U::User>) {
        self.deadlines
            .set(id, Deadline::Allocation, None, allocation.expires);
        self.by_client.insert(allocation.client, id);
        self.by_relayed.insert(allocation.relayed, id);
        self.by_relayed.insert(allocation.bound, id);
        self.by_user.insert((allocation.account.user.clone(), id));
        self.allocations.insert(allocation);
    }

    /// Forgets an allocation and all that belongs to it.
    pub(super) fn end(
        &mut self,
        host: &mut impl Host<U::User>,
        id: AllocationId,
        end: End,
        now: Instant,
    ) {
        let Some(allocation) = self.allocations.try_remove(id.0 as usize) else {
            return;
        };
        if end != End::Expired {
            self.deadlines
                .remove(id, Deadline::Allocation, allocation.expires);
        }
        for (ip, until) in allocation.permissions() {
            self.deadlines.remove(id, Deadline::Permission(ip), until);
        }
        for (number, channel) in allocation.channels() {
            self.deadlines
                .remove(id, Deadline::Channel(number), channel.expires);
        }
        self.by_client.remove(&allocation.client);
        self.by_relayed.remove(&allocation.relayed);
        self.by_relayed.remove(&allocation.bound);
        self.by_user.remove(&(allocation.account.user.clone(), id));
        host.close(
            id,
            &Ended {
                client: allocation.client,
                user: &allocation.account.user,
                relayed: allocation.relayed,
                usage: allocation.usage,
                lived: now.saturating_duration_since(allocation.created),
                end,
            },
        );
    }

    fn refresh(
        &mut self,
        host: &mut impl Host<U::User>,
        id: AllocationId,
        request: &Request,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let allocation = &mut self.allocations[id.0 as usize];
        if let Some(family) = request.attributes.family
            && (family == IPV6) != allocation.relayed.is_ipv6()
        {
            return Err(Refusal::family_mismatch());
        }
        if request.attributes.lifetime == Some(Duration::ZERO) {
            self.end(host, id, End::Released, now);
            return Ok(Answer::success(request).lifetime(Duration::ZERO));
        }
        let lifetime = granted(request);
        let before = std::mem::replace(&mut allocation.expires, now + lifetime);
        self.deadlines
            .set(id, Deadline::Allocation, Some(before), now + lifetime);
        Ok(Answer::success(request).lifetime(lifetime))
    }

    fn create_permission(
        &mut self,
        host: &mut impl Host<U::User>,
        id: AllocationId,
        request: &Request,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let peers = &request.attributes.peers;
        if peers.is_empty() {
            return Err(Refusal::bad_request());
        }
        let allocation = &self.allocations[id.0 as usize];
        let policy = &self.rules.policy;
        // All or none (RFC 8656 §10.2).
        for peer in peers {
            self.check_family(id, *peer)?;
            let ip = peer.ip();
            if !policy.may_permit(allocation.standing, ip, host.is_relaying_on(ip)) {
                return Err(Refusal::forbidden());
            }
        }
        let mut fresh: Vec<_> = peers
            .iter()
            .map(SocketAddr::ip)
            .filter(|ip| !allocation.has_permission(*ip))
            .collect();
        fresh.sort_unstable();
        fresh.dedup();
        if allocation.permissions().len() + fresh.len() > self.rules.max_permissions {
            return Err(Refusal::forbidden());
        }
        // Last, since it costs a question to the kernel for each.
        if !self.allocations[id.0 as usize].may_ask(peers.len(), now) {
            return Err(Refusal::insufficient_capacity());
        }
        let mut ips = peers.iter().map(SocketAddr::ip);
        if !ips.all(|ip| self.leads_away(host, id, ip, now)) {
            return Err(Refusal::forbidden());
        }
        for peer in peers {
            self.permit(id, *peer, now);
        }
        Ok(Answer::success(request))
    }

    fn permit(&mut self, id: AllocationId, peer: SocketAddr, now: Instant) {
        let until = now + PERMISSION_LIFETIME;
        let before = self.allocations[id.0 as usize].permit(peer.ip(), until);
        self.deadlines
            .set(id, Deadline::Permission(peer.ip()), before, until);
    }

    fn bind_channel(
        &mut self,
        host: &mut impl Host<U::User>,
        id: AllocationId,
        request: &Request,
        now: Instant,
    ) -> Result<Answer, Refusal> {
        let (Some(number), [peer]) = (request.attributes.channel, &request.attributes.peers[..])
        else {
            return Err(Refusal::bad_request());
        };
        let allocation = &self.allocations[id.0 as usize];
        if !channel_data::NUMBERS.contains(&number) || !allocation.may_bind(number, *peer) {
            return Err(Refusal::bad_request());
        }
        self.check_family(id, *peer)?;
        let relayed = host.bound(*peer).is_some();
        let policy = &self.rules.policy;
        if !policy.permits(allocation.standing, *peer, relayed) {
            return Err(Refusal::forbidden());
        }
        let room = |there: bool, held: usize, max: usize| there || held < max;
        let permission = room(
            allocation.has_permission(peer.ip()),
            allocation.permissions().len(),
            self.rules.max_permissions,
        );
        let channel = room(
            allocation.has_channel(number),
            allocation.channels().len(),
            self.rules.max_channels,
        );
        if !permission || !channel {
            return Err(Refusal::forbidden());
        }
        if !self.allocations[id.0 as usize].may_ask(1, now) {
            return Err(Refusal::insufficient_capacity());
        }
        if !self.leads_away(host, id, peer.ip(), now) {
            return Err(Refusal::forbidden());
        }
        let expires = now + CHANNEL_LIFETIME;
        let channel = Channel {
            peer: *peer,
            own: self.rules.policy.is_own(peer.ip()),
            expires,
        };
        let before = self.allocations[id.0 as usize].bind(number, channel);
        self.deadlines
            .set(id, Deadline::Channel(number), before, expires);
        self.permit(id, *peer, now);
        Ok(Answer::success(request))
    }

    /// Do packets to a peer reach another machine? Those to one that is permitted may reach nobody for a moment.
    fn leads_away(
        &self,
        host: &mut impl Host<U::User>,
        id: AllocationId,
        to: IpAddr,
        now: Instant,
    ) -> bool {
        let allocation = &self.allocations[id.0 as usize];
        let from = allocation.bound.ip();
        if !self.rules.policy.is_foreign(to) {
            true
        } else if allocation.permits(to, now) {
            host.leads_not_here(to, from)
        } else {
            host.leads_elsewhere(to, from)
        }
    }

    fn check_family(&self, id: AllocationId, peer: SocketAddr) -> Result<(), Refusal> {
        let same = self.allocations[id.0 as usize].relayed.is_ipv4() == peer.is_ipv4();
        same.then_some(()).ok_or(Refusal::family_mismatch())
    }
}

/// What an Allocate request asks for, in the order of RFC 8656 §7.2.
fn order(request: &Request) -> Result<(bool, Wish), Refusal> {
    let asked = &request.attributes;
    match asked.transport {
        None => return Err(Refusal::bad_request()),
        Some(UDP) => {}
        Some(_) => return Err(Refusal::unsupported_transport()),
    }
    if asked.token.is_some() && (asked.even_port.is_some() || asked.family.is_some()) {
        return Err(Refusal::bad_request());
    }
    let ipv6 = match asked.family {
        None | Some(IPV4) => false,
        Some(IPV6) => true,
        Some(_) => return Err(Refusal::family_not_supported()),
    };
    let wish = match (asked.token, asked.even_port) {
        (Some(token), _) => Wish::Reserved(token),
        (None, Some(true)) => Wish::Pair,
        (None, Some(false)) => Wish::Even,
        (None, None) => Wish::Any,
    };
    Ok((ipv6, wish))
}

/// RFC 8656 §7.2: never less than the default, whatever is asked for.
fn granted(request: &Request) -> Duration {
    request
        .attributes
        .lifetime
        .unwrap_or(DEFAULT_LIFETIME)
        .clamp(DEFAULT_LIFETIME, MAX_LIFETIME)
}

fn allocated<U>(request: &Request, allocation: &Allocation<U>) -> Answer {
    let answer = Answer::success(request)
        .relayed(allocation.relayed)
        .lifetime(allocation.lifetime)
        .mapped(allocation.client.address);
    match allocation.token {
        Some(token) => answer.token(token),
        None => answer,
    }
}
