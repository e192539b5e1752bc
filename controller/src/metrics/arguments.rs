//! Values of a template's arguments, for one Rollout.

use std::collections::BTreeMap;

use lockflight_crds::AnalysisTemplateSpec;

use super::{
    query::{fill_plain, is_builtin},
    template::TemplateError,
};

/// The Rollout that a template is resolved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Its namespace: `{{namespace}}`.
    pub namespace: &'a str,
    /// Its name: `{{rollout}}`.
    pub rollout: &'a str,
}

impl Subject<'_> {
    /// What is known of it, by the name of the placeholder.
    fn known(&self) -> BTreeMap<String, String> {
        let known = [("namespace", self.namespace), ("rollout", self.rollout)];
        known.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

/// The value of every argument of the template, and what is known of the Rollout.
pub(super) fn arguments(
    template: &AnalysisTemplateSpec,
    subject: Subject<'_>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let known = subject.known();
    let mut args = BTreeMap::new();
    for argument in &template.args {
        let name = argument.name.clone();
        if is_builtin(&name) || known.contains_key(&name) {
            return Err(TemplateError::ReservedArgument(name));
        }
        let value = match (given.get(&name), &argument.value) {
            // What a Rollout gives is a value, not a template.
            (Some(value), _) => value.clone(),
            (None, Some(default)) => {
                fill_plain("", default, &known).map_err(|error| in_default(&name, error))?
            }
            (None, None) => return Err(TemplateError::MissingArgument(name)),
        };
        args.insert(name, value);
    }
    if let Some(unknown) = given.keys().find(|name| !args.contains_key(*name)) {
        return Err(TemplateError::UnknownArgument(unknown.clone()));
    }
    args.extend(known);
    Ok(args)
}

fn in_default(argument: &str, error: TemplateError) -> TemplateError {
    match error {
        TemplateError::UnknownPlaceholder { placeholder, .. } => {
            TemplateError::Default { argument: argument.to_owned(), placeholder }
        }
        other => other,
    }
}
