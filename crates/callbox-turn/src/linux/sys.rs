//! Datagram sockets by the batch: the only file with unsafe code.
//!
//! Addresses are the kernel's own bytes (`sockaddr_in`, `sockaddr_in6`), converted without unsafe code; what is unsafe
//! here is the calls into the C library alone.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::mem::{self, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use crate::engine::{HEADROOM, TAILROOM};

/// Datagrams that are received before what has been received is sent on.
pub const SLOTS: usize = 64;
/// The longest datagram there can be, and room around it.
const SLOT: usize = (HEADROOM + 65_535 + TAILROOM).next_multiple_of(4096);
/// Longer ones may not fit into a link's packets, for which the kernel would refuse a burst.
const MAX_SEGMENT: usize = 1452;
const MAX_SEGMENTS: usize = 64;
/// Most datagrams of one system call.
const BATCH: usize = SLOTS;

/// `sockaddr_in` or `sockaddr_in6`: family (the machine's byte order), port and address (the network's).
#[derive(Clone, Copy)]
#[repr(C, align(4))]
struct RawAddress([u8; 28]);

// Address families are small numbers.
#[expect(clippy::cast_possible_truncation)]
const AF_INET: u16 = libc::AF_INET as u16;
#[expect(clippy::cast_possible_truncation)]
const AF_INET6: u16 = libc::AF_INET6 as u16;
const V4_LENGTH: u32 = 16;
const V6_LENGTH: u32 = 28;

impl RawAddress {
    const EMPTY: Self = Self([0; 28]);

    fn new(address: SocketAddr) -> (Self, u32) {
        let mut raw = [0; 28];
        raw[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, length) = match address {
            SocketAddr::V4(v4) => {
                raw[4..8].copy_from_slice(&v4.ip().octets());
                (AF_INET, V4_LENGTH)
            }
            SocketAddr::V6(v6) => {
                raw[8..24].copy_from_slice(&v6.ip().octets());
                raw[24..].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (AF_INET6, V6_LENGTH)
            }
        };
        raw[..2].copy_from_slice(&family.to_ne_bytes());
        (Self(raw), length)
    }

    /// `None` for another family.
    fn read(&self) -> Option<SocketAddr> {
        let [f0, f1, p0, p1, rest @ ..] = &self.0;
        let port = u16::from_be_bytes([*p0, *p1]);
        let ip: IpAddr = match u16::from_ne_bytes([*f0, *f1]) {
            AF_INET => Ipv4Addr::from(*rest.first_chunk::<4>()?).into(),
            AF_INET6 => Ipv6Addr::from(*rest[4..].first_chunk::<16>()?).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }
}

/// Room for received datagrams, each with [`HEADROOM`] in front of it.
pub struct Inbox {
    /// [`SLOTS`] of [`SLOT`] bytes. Pages that no datagram has reached take no memory.
    memory: Vec<u8>,
    names: Vec<RawAddress>,
    iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

// SAFETY: the pointers in `iovecs` and `headers` lead into the heap memory that this owns, wherever it is moved.
unsafe impl Send for Inbox {}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// Empty, with all its memory reserved.
    pub fn new() -> Self {
        let mut memory = vec![0; SLOTS * SLOT];
        let mut names = vec![RawAddress::EMPTY; SLOTS];
        let mut iovecs: Vec<_> = memory
            .chunks_exact_mut(SLOT)
            .map(|slot| {
                let room = &mut slot[HEADROOM..SLOT - TAILROOM];
                libc::iovec {
                    iov_base: room.as_mut_ptr().cast(),
                    iov_len: room.len(),
                }
            })
            .collect();
        let headers = iovecs
            .iter_mut()
            .zip(&mut names)
            .map(|(iovec, name)| header(name, V6_LENGTH, iovec))
            .collect();
        Self {
            memory,
            names,
            iovecs,
            headers,
        }
    }

    /// Receives into these slots as many datagrams as there are; gives how many.
    ///
    /// # Errors
    /// What the kernel says, `WouldBlock` where there is none.
    pub fn receive(&mut self, socket: impl AsFd, slots: Range<usize>) -> io::Result<usize> {
        if slots.len() == 1 {
            return self.receive_one(socket, slots.start).map(|()| 1);
        }
        for slot in slots.clone() {
            self.iovecs[slot].iov_base = self
                .memory
                .as_mut_ptr()
                .wrapping_add(slot * SLOT + HEADROOM)
                .cast();
            let header = &mut self.headers[slot].msg_hdr;
            header.msg_name = self.names.as_mut_ptr().wrapping_add(slot).cast();
            header.msg_namelen = V6_LENGTH;
            header.msg_iov = self.iovecs.as_mut_ptr().wrapping_add(slot);
        }
        let headers = &mut self.headers[slots];
        // SAFETY: each header points to its own name and iovec, and that to its own part of `memory`, as was just
        // written; all of them are owned by `self`, and nobody else has access during the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                headers.as_mut_ptr(),
                count(headers.len()),
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// The same for one datagram, which costs the kernel less.
    fn receive_one(&mut self, socket: impl AsFd, slot: usize) -> io::Result<()> {
        let room = &mut self.memory[slot * SLOT..(slot + 1) * SLOT];
        let room = &mut room[HEADROOM..SLOT - TAILROOM];
        let mut length = V6_LENGTH;
        // SAFETY: the kernel writes at most `room.len()` bytes to `room`, and at most `length` to the name, which has
        // as many; both live through the call and nobody else has access.
        let received = unsafe {
            libc::recvfrom(
                socket.as_fd().as_raw_fd(),
                room.as_mut_ptr().cast(),
                room.len(),
                libc::MSG_DONTWAIT,
                (&raw mut self.names[slot]).cast(),
                &raw mut length,
            )
        };
        let received = u32::try_from(received).map_err(|_| io::Error::last_os_error())?;
        self.headers[slot].msg_len = received;
        Ok(())
    }

    /// Who sent the datagram in this slot, and its length.
    pub fn received(&self, slot: usize) -> Option<(SocketAddr, usize)> {
        let length = self.headers[slot].msg_len as usize;
        Some((self.names[slot].read()?, length))
    }

    /// A slot with the room around its datagram.
    pub fn slot(&mut self, slot: usize) -> &mut [u8] {
        &mut self.memory[slot * SLOT..(slot + 1) * SLOT]
    }

    fn part(&self, slot: usize, part: &Range<usize>) -> &[u8] {
        &self.memory[slot * SLOT..(slot + 1) * SLOT][part.clone()]
    }

    /// Sends parts of slots; gives how many of them the kernel took, from the first on.
    ///
    /// # Errors
    /// What the kernel says of the first.
    pub fn send(&self, socket: BorrowedFd<'_>, parts: &[Outgoing]) -> io::Result<usize> {
        match parts {
            [] => Ok(0),
            [one] => self.send_one(socket, one).map(|()| 1),
            several => self
                .send_several(socket, &several[..several.len().min(BATCH)])
                // A burst may be refused where its datagrams are not, as on a link for short packets.
                .or_else(|_| self.send_one(socket, &several[0]).map(|()| 1)),
        }
    }

    fn send_one(&self, socket: BorrowedFd<'_>, one: &Outgoing) -> io::Result<()> {
        let bytes = self.part(one.slot, &one.part);
        let (name, length) = RawAddress::new(one.to);
        // SAFETY: `bytes` and `name` live through the call, which reads as much of them as their lengths say.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
                (&raw const name).cast(),
                length,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn send_several(&self, socket: BorrowedFd<'_>, several: &[Outgoing]) -> io::Result<usize> {
        let mut names = [RawAddress::EMPTY; BATCH];
        let mut controls = [SegmentSize::new(0); BATCH];
        // SAFETY: both are plain C structures of integers and pointers, for which zero is a value.
        let mut iovecs: [libc::iovec; BATCH] = unsafe { mem::zeroed() };
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for (iovec, outgoing) in iovecs.iter_mut().zip(several) {
            let bytes = self.part(outgoing.slot, &outgoing.part);
            iovec.iov_base = bytes.as_ptr().cast_mut().cast();
            iovec.iov_len = bytes.len();
        }
        let (mut messages, mut next) = (0, 0);
        while next < several.len() {
            let length = burst(&several[next..]);
            let first = &several[next];
            let name_length;
            (names[messages], name_length) = RawAddress::new(first.to);
            let header = &mut headers[messages];
            *header = self::header(&mut names[messages], name_length, &mut iovecs[next]);
            header.msg_hdr.msg_iovlen = length as _;
            if length > 1 {
                controls[messages] = SegmentSize::new(first.part.len());
                header.msg_hdr.msg_control = (&raw mut controls[messages]).cast();
                header.msg_hdr.msg_controllen = size_of::<SegmentSize>() as _;
            }
            messages += 1;
            next += length;
        }
        // SAFETY: the first `messages` headers point to names, controls, iovecs and bytes that live through the call,
        // which only reads what they point to; `burst` counts no iovec twice.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count(messages),
                libc::MSG_DONTWAIT as _,
            )
        };
        let sent = usize::try_from(sent).map_err(|_| io::Error::last_os_error())?;
        Ok(headers[..sent]
            .iter()
            .map(|header| header.msg_hdr.msg_iovlen)
            .sum())
    }
}

/// `cmsghdr` with the size of the segments that the kernel is to cut a long datagram into (`UDP_SEGMENT`).
#[derive(Clone, Copy)]
#[repr(C)]
struct SegmentSize {
    header: libc::cmsghdr,
    size: u16,
    _padding: [u8; 6],
}

impl SegmentSize {
    fn new(size: usize) -> Self {
        // SAFETY: a plain C structure of integers, for which zero is a value.
        let mut header: libc::cmsghdr = unsafe { mem::zeroed() };
        header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<u16>()) as _;
        header.cmsg_level = libc::SOL_UDP;
        header.cmsg_type = libc::UDP_SEGMENT;
        Self {
            header,
            size: u16::try_from(size).unwrap_or(u16::MAX),
            _padding: [0; 6],
        }
    }
}

/// How many from the first on make a burst: to the same address, of the same length but for a shorter last one.
fn burst(several: &[Outgoing]) -> usize {
    let Some(first) = several.first() else {
        return 0;
    };
    let length = first.part.len();
    if length == 0 || length > MAX_SEGMENT {
        return 1;
    }
    let most = (MAX_SEGMENTS).min(65_000 / length);
    let mut count = 1;
    for next in &several[1..several.len().min(most)] {
        if next.to != first.to || next.part.is_empty() || next.part.len() > length {
            break;
        }
        count += 1;
        if next.part.len() < length {
            break;
        }
    }
    count
}

/// A small number as the C library takes it.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A part of a slot, and to whom it goes.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Of the inbox.
    pub slot: usize,
    /// Of the slot.
    pub part: Range<usize>,
    /// Where it goes.
    pub to: SocketAddr,
}

fn header(name: &mut RawAddress, length: u32, iovec: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: a plain C structure of integers and pointers, for which zero is a value.
    let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
    header.msg_hdr.msg_name = (&raw mut *name).cast();
    header.msg_hdr.msg_namelen = length;
    header.msg_hdr.msg_iov = iovec;
    header.msg_hdr.msg_iovlen = 1;
    header
}

/// Whether datagrams that are sent carry the DF bit. Without it the kernel cuts what is longer than the link allows
/// into fragments.
///
/// # Errors
/// What the kernel says.
pub fn set_dont_fragment(socket: impl AsFd, ipv6: bool, on: bool) -> io::Result<()> {
    let (level, option) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER)
    } else {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)
    };
    let value: libc::c_int = match (ipv6, on) {
        (false, true) => libc::IP_PMTUDISC_DO,
        (false, false) => libc::IP_PMTUDISC_DONT,
        (true, true) => libc::IPV6_PMTUDISC_DO,
        (true, false) => libc::IPV6_PMTUDISC_DONT,
    };
    // SAFETY: the option takes an int, which lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            count(size_of::<libc::c_int>()),
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn addresses_survive_the_kernels_form() {
        for text in ["192.0.2.1:5000", "[2001:db8::1]:443"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(RawAddress::new(address).0.read(), Some(address));
        }
        assert_eq!(RawAddress::EMPTY.read(), None);
    }

    fn pair(ip: &str) -> (UdpSocket, UdpSocket) {
        let bind = || UdpSocket::bind((ip, 0)).unwrap();
        (bind(), bind())
    }

    #[test]
    fn batches_arrive_whole_and_go_on() {
        for ip in ["127.0.0.1", "::1"] {
            let (near, far) = pair(ip);
            let from = far.local_addr().unwrap();
            let payload = |i: u8| vec![i; 1 + usize::from(i) * 700];
            for i in 0..10 {
                far.send_to(&payload(i), near.local_addr().unwrap())
                    .unwrap();
            }
            let mut inbox = Inbox::new();
            assert_eq!(inbox.receive(&near, 3..11).unwrap(), 8, "as many as fit");
            assert_eq!(inbox.receive(&near, 11..20).unwrap(), 2);
            let error = inbox.receive(&near, 0..1).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            let parts: Vec<_> = (3..13)
                .map(|slot| {
                    let (address, length) = inbox.received(slot).unwrap();
                    assert_eq!(address, from);
                    Outgoing {
                        slot,
                        part: HEADROOM..HEADROOM + length,
                        to: from,
                    }
                })
                .collect();
            assert_eq!(inbox.send(near.as_fd(), &parts[..1]).unwrap(), 1);
            assert_eq!(inbox.send(near.as_fd(), &parts[1..]).unwrap(), 9);
            let mut buffer = [0; 8192];
            for i in 0..10 {
                let length = far.recv(&mut buffer).unwrap();
                assert_eq!(buffer[..length], payload(i));
            }
        }
    }

    #[test]
    fn bursts_arrive_as_the_datagrams_they_were() {
        let (near, far) = pair("127.0.0.1");
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let lengths = [1000, 1000, 1000, 300, 1000, 1000, 0, 1000, 1200, 1200];
        for (i, length) in (0..).zip(lengths) {
            let to = near.local_addr().unwrap();
            far.send_to(&vec![i; length], to).unwrap();
        }
        let mut inbox = Inbox::new();
        assert_eq!(inbox.receive(&near, 0..20).unwrap(), lengths.len());
        let parts: Vec<_> = (0..lengths.len())
            .map(|slot| Outgoing {
                slot,
                part: HEADROOM..HEADROOM + lengths[slot],
                to: if slot == 9 { &other } else { &far }.local_addr().unwrap(),
            })
            .collect();
        let bursts: Vec<_> = (0..parts.len()).map(|i| burst(&parts[i..])).collect();
        assert_eq!(bursts, [4, 3, 2, 1, 2, 1, 1, 1, 1, 1]);
        assert_eq!(inbox.send(near.as_fd(), &parts).unwrap(), lengths.len());
        let mut buffer = [0; 2000];
        for (i, length) in (0..).zip(lengths) {
            let socket = if i == 9 { &other } else { &far };
            let received = socket.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..received], vec![i; length]);
        }
    }

    #[test]
    fn the_longest_datagram_fits_and_leaves_its_neighbours_alone() {
        let (near, far) = pair("127.0.0.1");
        let longest = vec![7; 65_507];
        far.send_to(&longest, near.local_addr().unwrap()).unwrap();
        let mut inbox = Inbox::new();
        assert_eq!(inbox.receive(&near, 1..2).unwrap(), 1);
        assert_eq!(inbox.received(1).unwrap().1, longest.len());
        assert_eq!(inbox.slot(1)[HEADROOM..HEADROOM + longest.len()], longest);
        assert!(inbox.slot(0).iter().chain(&[0]).all(|byte| *byte == 0));
        assert!(inbox.slot(2).iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_df_bit_can_be_set_and_cleared() {
        for (ip, ipv6) in [("127.0.0.1", false), ("::1", true)] {
            let (socket, _) = pair(ip);
            set_dont_fragment(&socket, ipv6, true).unwrap();
            set_dont_fragment(&socket, ipv6, false).unwrap();
        }
    }
}
