//! Batches of datagrams, and the core that a thread runs on. The only unsafe code of the benchmark.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use rustix::thread::{CpuSet, sched_setaffinity};

/// The longest datagram that a slot holds.
const SLOT: usize = 2048;

/// Datagrams with their addresses, received or sent by one system call. IPv4 only.
pub(crate) struct Batch {
    buffers: Vec<[u8; SLOT]>,
    addresses: Vec<libc::sockaddr_in>,
    lengths: Vec<usize>,
    iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Batch {
    pub(crate) fn new(slots: usize) -> Self {
        // SAFETY: these are C structs of integers and pointers, for which all zeros is a value.
        let (address, iovec, header) =
            unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed::<libc::mmsghdr>()) };
        Self {
            buffers: vec![[0; SLOT]; slots],
            addresses: vec![address; slots],
            lengths: vec![0; slots],
            iovecs: vec![iovec; slots],
            headers: vec![header; slots],
        }
    }

    pub(crate) fn slots(&self) -> usize {
        self.buffers.len()
    }

    /// Receives into the slots of `range` without waiting; says how many were filled.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd, range: Range<usize>) -> usize {
        for slot in range.clone() {
            self.lengths[slot] = SLOT;
        }
        let socket = socket.as_raw_fd();
        let received = self.call(range.clone(), |headers| {
            // SAFETY: `call` has made every header point to buffers of this batch that live longer than the call; a
            // null timeout is allowed.
            unsafe {
                libc::recvmmsg(
                    socket,
                    headers.as_mut_ptr(),
                    headers.len() as libc::c_uint,
                    libc::MSG_DONTWAIT,
                    ptr::null_mut(),
                )
            }
        });
        let filled = usize::try_from(received).unwrap_or(0);
        for slot in range.take(filled) {
            self.lengths[slot] = self.headers[slot].msg_len as usize;
        }
        filled
    }

    /// Sends the slots of `range`, each to its address. What the socket does not take is lost, as datagrams are.
    pub(crate) fn send(&mut self, socket: &impl AsRawFd, range: Range<usize>) -> usize {
        let socket = socket.as_raw_fd();
        let mut next = range.start;
        let mut sent = 0;
        while next < range.end {
            let count = self.call(next..range.end, |headers| send_headers(socket, headers));
            match usize::try_from(count) {
                Ok(count) if count > 0 => {
                    sent += count;
                    next += count;
                }
                // The first one cannot be sent: go on with those behind it.
                _ => next += 1,
            }
        }
        sent
    }

    pub(crate) fn packet(&self, slot: usize) -> &[u8] {
        &self.buffers[slot][..self.lengths[slot]]
    }

    pub(crate) fn address(&self, slot: usize) -> SocketAddrV4 {
        let address = &self.addresses[slot];
        SocketAddrV4::new(
            Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)),
            u16::from_be(address.sin_port),
        )
    }

    pub(crate) fn set_address(&mut self, slot: usize, to: SocketAddrV4) {
        let address = &mut self.addresses[slot];
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_addr.s_addr = u32::from(*to.ip()).to_be();
        address.sin_port = to.port().to_be();
    }

    /// Points the headers of `range` at its slots and lends them.
    fn call(
        &mut self,
        range: Range<usize>,
        f: impl FnOnce(&mut [libc::mmsghdr]) -> libc::c_int,
    ) -> libc::c_int {
        for slot in range.clone() {
            self.iovecs[slot] = libc::iovec {
                iov_base: self.buffers[slot].as_mut_ptr().cast(),
                iov_len: self.lengths[slot],
            };
            let header = &mut self.headers[slot].msg_hdr;
            header.msg_name = ptr::from_mut(&mut self.addresses[slot]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = ptr::from_mut(&mut self.iovecs[slot]);
            header.msg_iovlen = 1;
        }
        f(&mut self.headers[range])
    }
}

fn send_headers(socket: RawFd, headers: &mut [libc::mmsghdr]) -> libc::c_int {
    // SAFETY: `Batch::call` has made every header point to buffers of the batch that live longer than the call.
    unsafe {
        libc::sendmmsg(
            socket,
            headers.as_mut_ptr(),
            headers.len() as libc::c_uint,
            libc::MSG_DONTWAIT,
        )
    }
}

/// Binds this thread, and the programs that it starts from now on, to one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
