//! A request of the file with its names filled in.

use std::str::FromStr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Uri,
    header::{HOST, HeaderName, HeaderValue, USER_AGENT},
};

use crate::experiment::{failure::Failure, model::HttpRequest};

/// A request that can be made.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whom it goes to.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) message: hyper::Request<Full<Bytes>>,
}

impl Request {
    /// What the file has, with every name's value in its place.
    ///
    /// # Errors
    /// [`Failure`]: a name has no value, or what comes of it is no URL, method or header.
    pub fn fill(request: &HttpRequest, value: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let body = request.body.as_ref().map(|body| body.fill(&value)).transpose()?.unwrap_or_default();
        let mut this = Self::to(&request.url.fill(&value)?, body.into())?;
        *this.message.method_mut() =
            Method::from_str(&request.method).map_err(|_| malformed(&request.method, "method"))?;
        for (name, text) in &request.headers {
            let text = text.fill(&value)?;
            let name = HeaderName::from_str(name).map_err(|_| malformed(name, "header"))?;
            let text = HeaderValue::from_str(&text).map_err(|_| malformed(&text, "header"))?;
            this.message.headers_mut().insert(name, text);
        }
        Ok(this)
    }

    /// `GET` of that URL.
    ///
    /// # Errors
    /// [`Failure`]: it is none of `http://`.
    pub fn get(url: &str) -> Result<Self, Failure> {
        Self::to(url, Bytes::new())
    }

    fn to(url: &str, body: Bytes) -> Result<Self, Failure> {
        let wrong = || malformed(url, "http:// URL");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        let host = authority.host().to_owned();
        let port = authority.port_u16().unwrap_or(80);
        let named = authority.as_str().rsplit('@').next().unwrap_or_default();
        let named = HeaderValue::from_str(named).map_err(|_| wrong())?;
        let mut message = hyper::Request::new(Full::new(body));
        *message.uri_mut() = match uri.path_and_query() {
            Some(path) => Uri::from(path.clone()),
            None => Uri::from_static("/"),
        };
        message.headers_mut().insert(HOST, named);
        message.headers_mut().insert(USER_AGENT, HeaderValue::from_static("injector"));
        Ok(Self { host, port, message })
    }
}

fn malformed(text: &str, what: &'static str) -> Failure {
    Failure::Malformed { text: text.to_owned(), what }
}
