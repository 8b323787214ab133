//! The inventory: it counts what it is asked, works for a moment, and reserves.

use std::{error::Error, sync::Arc, thread, time::Duration};

use crate::{Options, metrics::Metrics};

const REQUESTS: &str = "http_requests_total{path=\"/reserve\"}";

pub(crate) struct Inventory {
    work: Duration,
    metrics: Arc<Metrics>,
}

impl Inventory {
    pub(crate) fn new(options: &mut Options, metrics: Arc<Metrics>) -> Result<Self, Box<dyn Error>> {
        metrics.add(REQUESTS, 0);
        Ok(Self { work: Duration::from_millis(options.take("work-ms", Some("5"))?), metrics })
    }

    pub(crate) fn answer(&self, request: &str) -> (u16, String) {
        if request != "POST /reserve" {
            return (404, String::new());
        }
        self.metrics.add(REQUESTS, 1);
        thread::sleep(self.work);
        (200, "reserved\n".to_owned())
    }
}
