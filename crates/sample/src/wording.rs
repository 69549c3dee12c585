//! Titles and descriptions in GuardDuty's words, as templates with the names of a finding's actors in braces.

const WORDINGS: &str = include_str!("wording.txt");

#[derive(Clone, Debug, Default)]
pub(crate) struct Wording {
    pub(crate) title: Vec<Piece>,
    pub(crate) description: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece {
    Text(&'static str),
    /// The name of something in the scene, such as `instance`.
    Name(&'static str),
}

impl Wording {
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.title.is_empty() || self.description.is_empty()
    }
}

/// All wordings with the pattern of the types they are for, most particular first.
pub(crate) fn wordings() -> Vec<(&'static str, Wording)> {
    let lines = WORDINGS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (pattern, rest) = line.split_once('|')?;
            let (title, description) = rest.split_once('|')?;
            Some((
                pattern,
                Wording {
                    title: pieces(title),
                    description: pieces(description),
                },
            ))
        })
        .collect()
}

fn pieces(mut template: &'static str) -> Vec<Piece> {
    let mut out = Vec::new();
    while let Some((text, rest)) = template.split_once('{') {
        let (name, rest) = rest.split_once('}').unwrap_or((rest, ""));
        out.extend([Piece::Text(text), Piece::Name(name)]);
        template = rest;
    }
    out.push(Piece::Text(template));
    out
}
