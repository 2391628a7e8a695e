//! What stands in the query of an admin request: its parameters, each with an error that names it.
//! Owns the reading; knows no route.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use rescind_axum::body::is_text_when_decoded;

use crate::http::error::Failure;

/// The query's parameters.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Self::read(parts.uri.query().unwrap_or_default())
    }
}

impl Query {
    fn read(text: &str) -> Result<Self, Failure> {
        let pairs = Some(text).filter(|text| is_text_when_decoded(text.as_bytes()));
        pairs
            .and_then(|text| serde_urlencoded::from_str(text).ok())
            .map(Self)
            .ok_or_else(|| Failure::invalid_request("the query is not UTF-8 in percent-encoding"))
    }

    /// The values of `known`, in their order.
    ///
    /// # Errors
    /// 400 for a parameter that is none of them, or comes twice.
    pub(super) fn only<const N: usize>(self, known: [&'static str; N]) -> Result<[Option<String>; N], Failure> {
        let mut values = [const { None }; N];
        for (name, value) in self.0 {
            let place = known.iter().position(|known| *known == name).and_then(|place| values.get_mut(place));
            match place {
                Some(place @ None) => *place = Some(value),
                Some(Some(_)) => return Err(Failure::invalid_request(format!("parameter {name} came twice"))),
                None => {
                    let name: String = name.chars().take(64).collect();
                    let known =
                        if N == 0 { "this route has none".to_owned() } else { format!("one of {}", known.join(", ")) };
                    return Err(Failure::invalid_request(format!("unknown parameter {name}; {known}")));
                }
            }
        }
        Ok(values)
    }
}

/// Reads a value, or takes the default where there is none.
///
/// # Errors
/// 400 that names the parameter.
pub(super) fn number<T: FromStr>(name: &str, value: Option<String>, default: T) -> Result<T, Failure> {
    match value {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| Failure::invalid_request(format!("{name} is not a number in range"))),
    }
}

/// How many rows a listing gives: 1 to 1,000, 100 where nothing is said.
///
/// # Errors
/// 400.
pub(super) fn limit(value: Option<String>) -> Result<usize, Failure> {
    match number("limit", value, 100)? {
        limit @ 1..=1000 => Ok(limit),
        _ => Err(Failure::invalid_request("limit is out of range; 1 to 1000")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::read(text).unwrap()
    }

    #[test]
    fn a_parameter_that_is_unknown_or_comes_twice_is_refused() {
        assert_eq!(query("b=2&a=1").only(["a", "b"]).unwrap(), [Some("1".to_owned()), Some("2".to_owned())]);
        assert!(query("c=1").only(["a"]).is_err());
        assert!(query("a=1&a=1").only(["a"]).is_err());
        assert!(query("").only([]).is_ok());
    }

    #[test]
    fn a_query_is_text_and_the_mark_of_what_is_none_is_text_too() {
        assert_eq!(query("a=%EF%BF%BD").only(["a"]).unwrap(), [Some("\u{fffd}".to_owned())]);
        for bad in ["a=%ff", "%ff=1", "a=%c3&b=%a4"] {
            assert!(Query::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_limit_is_one_to_a_thousand() {
        assert_eq!(limit(None).unwrap(), 100);
        for bad in ["0", "1001", "-1", "x", "", "18446744073709551616"] {
            assert!(limit(Some(bad.to_owned())).is_err(), "{bad}");
        }
    }
}
