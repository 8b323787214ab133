//! Packets on their way in and out, and connections before there is any: what is read of them, which rules are asked, and
//! what becomes of them.

pub mod connect;
pub mod content;
pub mod delay_line;
pub mod dns;
pub mod egress;
pub mod emit;
pub mod flow;
pub mod header;
pub mod inbound;
pub mod ingress;
pub mod layout;
pub mod ownership;
pub mod packet_ctx;
pub mod queue;
pub mod reject;
pub mod tc;
pub mod verdict;
