//! Two small services for an experiment: an inventory, and a checkout that asks it. With `--breaker on` the checkout stops
//! asking an inventory that does not answer in time, and takes the order for later; without, it asks again and again.
//!
//! ```text
//! shop inventory --listen 0.0.0.0:8080 --admin 0.0.0.0:9090
//! shop checkout --listen 0.0.0.0:8080 --admin 0.0.0.0:9090 --inventory inventory:8080 --breaker on
//! ```
//!
//! Each has `/health` and `/metrics` on its second port, so that what is done to the first one leaves them alone.

mod breaker;
mod checkout;
mod http;
mod inventory;
mod metrics;

use std::{collections::BTreeMap, env, error::Error, fmt::Display, str::FromStr, sync::Arc, thread};

use crate::{checkout::Checkout, inventory::Inventory, metrics::Metrics};

const USAGE: &str = "usage: shop inventory|checkout --listen ADDRESS --admin ADDRESS [--OPTION VALUE]...";

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let service = words.next().ok_or(USAGE)?;
    let mut options = Options(BTreeMap::new());
    while let Some(name) = words.next() {
        let name = name.strip_prefix("--").ok_or(USAGE)?.to_owned();
        options.0.insert(name, words.next().ok_or(USAGE)?);
    }
    let listen: String = options.take("listen", None)?;
    let admin: String = options.take("admin", None)?;
    let metrics = Arc::new(Metrics::default());
    let seen = metrics.clone();
    let answer: Arc<http::Handler> = match service.as_str() {
        "inventory" => {
            let inventory = Inventory::new(&mut options, metrics)?;
            Arc::new(move |request| inventory.answer(request))
        }
        "checkout" => {
            let checkout = Checkout::new(&mut options, metrics)?;
            Arc::new(move |request| checkout.answer(request))
        }
        _ => return Err(USAGE.into()),
    };
    if let Some(unknown) = options.0.keys().next() {
        return Err(format!("{service} knows no --{unknown}").into());
    }
    let page: Arc<http::Handler> = Arc::new(move |request| match request {
        "GET /health" => (200, "well\n".to_owned()),
        "GET /metrics" => (200, seen.page()),
        _ => (404, String::new()),
    });
    let admin = thread::spawn(move || http::serve(&admin, &page).map_err(|error| error.to_string()));
    http::serve(&listen, &answer)?;
    admin.join().map_err(|_| "the second port's thread has ended")??;
    Ok(())
}

/// The options, each of which is taken once.
struct Options(BTreeMap<String, String>);

impl Options {
    /// An option, or what stands for it where it is not given.
    fn take<T>(&mut self, name: &str, default: Option<&str>) -> Result<T, Box<dyn Error>>
    where
        T: FromStr<Err: Display>,
    {
        let given = self.0.remove(name).or(default.map(str::to_owned));
        let given = given.ok_or_else(|| format!("--{name} is missing; {USAGE}"))?;
        given.parse().map_err(|error| format!("--{name} {given}: {error}").into())
    }
}
