//! Files of credentials, as the AWS tools have them.
#![forbid(unsafe_code)]

use std::path::Path;

use keymill::{Error, ErrorKind, Result, shown_name};

/// The names and values of a profile.
///
/// # Errors
///
/// [`ErrorKind::Config`] if the file cannot be read, or has no such profile.
pub(super) fn read_profile(file: &Path, profile: &str) -> Result<Vec<(String, String)>> {
    let shown = shown_name(file);
    let text = std::fs::read_to_string(file).map_err(|cause| {
        let message = format!("`{shown}`: the credentials cannot be read");
        Error::new(ErrorKind::Config, message).with_source(cause)
    })?;
    let values = values_of(&text, profile);
    if values.is_empty() {
        let message = format!("`{shown}` has no credentials under [{profile}]");
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(values)
}

fn values_of(text: &str, profile: &str) -> Vec<(String, String)> {
    let (mut is_in, mut values) = (false, Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            is_in = name.trim() == profile;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| is_in)
            && !line.starts_with(['#', ';'])
        {
            values.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_the_lines_under_its_name() {
        let text = "[default]\naws_access_key_id = a\n# b = c\n\n[other]\nregion=r=1\n";
        let values = |profile| values_of(text, profile);
        assert_eq!(
            values("default"),
            [("aws_access_key_id".into(), "a".into())]
        );
        assert_eq!(values("other"), [("region".into(), "r=1".into())]);
        assert_eq!(values("none"), []);
    }
}
