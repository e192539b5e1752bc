//! Which arm a value of a label stands for.

use crate::judge::Arm;

/// Stands for any text in a pattern, also for none. Sources put hashes and entry points into the
/// names that they give to Services.
const ANY: char = '*';

/// The arm whose pattern `value` fits. None where it fits neither, and where it fits both: a
/// series that could be of either arm must not be counted for one.
#[must_use]
pub fn arm_named(value: &str, canary: &str, stable: &str) -> Option<Arm> {
    match (fits(value, canary), fits(value, stable)) {
        (true, false) => Some(Arm::Canary),
        (false, true) => Some(Arm::Stable),
        _ => None,
    }
}

/// Whether the whole of `value` is as `pattern` says.
fn fits(value: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once(ANY) else { return value == pattern };
    let (middle, tail) = match rest.rsplit_once(ANY) {
        Some((middle, tail)) => (Some(middle), tail),
        None => (None, rest),
    };
    let Some(mut left) = value.strip_prefix(head).and_then(|left| left.strip_suffix(tail)) else {
        return false;
    };
    // The first place of each piece leaves the most room for those after it.
    middle.is_none_or(|middle| {
        middle.split(ANY).all(|piece| {
            left.split_once(piece).is_some_and(|(_, after)| {
                left = after;
                true
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by trying every length of every star.
    fn fits_slowly(value: &[u8], pattern: &[u8]) -> bool {
        match pattern.split_first() {
            None => value.is_empty(),
            Some((b'*', rest)) => (0..=value.len()).any(|n| fits_slowly(&value[n..], rest)),
            Some((first, rest)) => {
                value.split_first().is_some_and(|(v, left)| v == first && fits_slowly(left, rest))
            }
        }
    }

    #[test]
    fn a_value_names_one_arm_or_none() {
        let canary = "*-svc-shop-checkout-canary-*@kubernetesgateway";
        let stable = "*-svc-shop-checkout-stable-*@kubernetesgateway";
        let hash = "httproute-shop-checkout-gw-edge-web-ep-web-0-799bcbf0c2317c5d1c93";
        for (value, arm) in [
            (format!("{hash}-svc-shop-checkout-canary-1@kubernetesgateway"), Some(Arm::Canary)),
            (format!("{hash}-svc-shop-checkout-stable-0@kubernetesgateway"), Some(Arm::Stable)),
            (format!("{hash}-svc-shop-cart-stable-0@kubernetesgateway"), None),
            (format!("{hash}-svc-shop-checkout-stable-0@file"), None),
            ("x-svc-shop-checkout-canary-svc-shop-checkout-stable-".to_owned(), None),
            (
                "x-svc-shop-checkout-canary-y-svc-shop-checkout-stable-z@kubernetesgateway"
                    .to_owned(),
                None,
            ),
        ] {
            assert_eq!(arm_named(&value, canary, stable), arm, "{value}");
        }
        assert_eq!(arm_named("new", "new", "old"), Some(Arm::Canary));
        assert_eq!(arm_named("newer", "new", "old"), None);
        assert_eq!(arm_named("aba", "ab*ba", "old"), None, "head and tail do not overlap");
    }

    proptest! {
        #[test]
        fn patterns_fit_as_if_every_length_was_tried(value in "[ab]{0,9}", pattern in "[ab*]{0,7}") {
            let expect = fits_slowly(value.as_bytes(), pattern.as_bytes());
            prop_assert_eq!(fits(&value, &pattern), expect, "{} {}", value, pattern);
        }
    }
}
