//! `--step`: whoever leads the run says on the terminal what begins.

use std::io::{self, BufRead as _};

use injector::experiment::run::Order;
use tokio::sync::mpsc;

/// Reads orders from stdin on a thread of its own, until there is nothing more to read.
pub(super) fn lead(by: String) -> mpsc::UnboundedReceiver<Order> {
    let (orders, coming) = mpsc::unbounded_channel();
    // It ends with the program: a read of a terminal cannot be called off.
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let said = read(&line, &by);
            if said.is_some_and(|order| orders.send(order).is_err()) {
                return;
            }
        }
    });
    coming
}

/// What a line means.
fn read(line: &str, by: &str) -> Option<Order> {
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    Some(match word {
        "" | "y" | "yes" | "go" => Order::Go,
        "s" | "skip" => Order::Skip,
        "h" | "hold" => Order::Hold,
        "a" | "abort" => Order::Abort { by: by.to_owned() },
        "n" | "note" if !rest.is_empty() => Order::Note { by: by.to_owned(), text: rest.trim().to_owned() },
        _ => {
            eprintln!("enter or `go`, `skip`, `hold`, `abort`, or `note TEXT`");
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Order, read};

    #[test]
    fn words_and_their_first_letters_are_orders() {
        let ann = |line: &str| read(line, "Ann");
        assert_eq!(ann(""), Some(Order::Go));
        assert_eq!(ann(" y "), Some(Order::Go));
        assert_eq!(ann("s"), Some(Order::Skip));
        assert_eq!(ann("hold"), Some(Order::Hold));
        assert_eq!(ann("a"), Some(Order::Abort { by: "Ann".into() }));
        assert_eq!(
            ann("n the pager rang"),
            Some(Order::Note { by: "Ann".into(), text: "the pager rang".into() })
        );
        assert_eq!(ann("n"), None);
        assert_eq!(ann("what"), None);
    }
}
