//! How long a body is said to be, where a proxy in front could read it otherwise (RFC 9112 §6). The framing itself is
//! hyper's; owns only which transfer coding passes.

use http::Request;
use http::header::TRANSFER_ENCODING;

use super::error::{Answer, Failure};

/// Refuses every transfer coding but one `chunked`. Only that is decoded here: of `gzip, chunked` the text would be taken as
/// it came, and of two, a proxy may have seen the other.
///
/// # Errors
/// 400, and the connection is closed: what follows on it may be a part of the body for others.
pub(crate) fn understood<B>(request: &Request<B>) -> Answer<()> {
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Failure::invalid_request("the Transfer-Encoding is not chunked, or more than that").closing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_coding_passes() {
        let passes = |codings: &[&str]| {
            let mut request = Request::new(());
            request.headers_mut().extend(codings.iter().map(|it| (TRANSFER_ENCODING, it.parse().unwrap())));
            understood(&request).is_ok()
        };
        assert!(passes(&[]) && passes(&["chunked"]) && passes(&["Chunked"]));
        for bad in
            [&["gzip"][..], &["gzip, chunked"], &["chunked, chunked"], &["chunked", "chunked"], &[""], &[", chunked"]]
        {
            assert!(!passes(bad), "{bad:?}");
        }
    }
}
