//! The columns that a correlation groups and counts by: those of the finding, and those its SELECT has to make.

use super::Place;
use super::correlation::Alias;
use super::fields::{Field, Kind, field, snake};
use super::link::Part;
use super::sql::literal;
use super::tree::Notes;
use crate::clean;
use crate::rule::yaml::did_you_mean;

/// Names on their way to columns.
pub(super) struct Columns<'a> {
    aliases: &'a [Alias],
    parts: &'a [Part<'a>],
    /// Columns that the SELECT makes: name and SQL.
    made: Vec<(String, String)>,
    /// Whether one of them asks for the rule that the row belongs to.
    aliased: bool,
}

impl<'a> Columns<'a> {
    pub(super) fn new(aliases: &'a [Alias], parts: &'a [Part<'a>]) -> Columns<'a> {
        Columns {
            aliases,
            parts,
            made: Vec::new(),
            aliased: false,
        }
    }

    /// Aliases speak of rules that are correlated, whether or not they are used.
    pub(super) fn check_aliases(&self, notes: &mut Notes<'_>) -> Option<()> {
        let before = notes.mistakes.len();
        let names: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| part.document.name.as_ref())
            .map(|(_, name)| name.as_str())
            .collect();
        for alias in self.aliases {
            for (at, rule, _) in &alias.fields {
                if !self.parts.iter().any(|part| part.document.is(rule)) {
                    let (alias, hint) = (clean(&alias.name, 60), did_you_mean(rule, &names));
                    let rule = clean(rule, 60);
                    notes.note(
                        *at,
                        format!("correlation.aliases.{alias}: `{rule}` is none of the rules{hint}"),
                    );
                }
            }
        }
        (notes.mistakes.len() == before).then_some(())
    }

    /// The columns of a `group-by`.
    pub(super) fn group_by(
        &mut self,
        notes: &mut Notes<'_>,
        names: &[(Place, String)],
    ) -> Option<Vec<String>> {
        let before = notes.mistakes.len();
        let mut columns: Vec<String> = Vec::new();
        for (at, name) in names {
            let Some(field) = self.resolve(notes, "correlation.group-by", *at, name) else {
                continue;
            };
            let Some(column) = self.column(notes, *at, &field) else {
                continue;
            };
            if columns.contains(&column) {
                let name = clean(name, 60);
                notes.note(
                    *at,
                    format!("correlation.group-by: `{name}` is {column}, which is there already"),
                );
            }
            columns.push(column);
        }
        (notes.mistakes.len() == before).then_some(columns)
    }

    /// A column whose values are counted; `together` with others.
    pub(super) fn counted(
        &mut self,
        notes: &mut Notes<'_>,
        at: Place,
        name: &str,
        together: bool,
    ) -> Option<String> {
        let field = self.resolve(notes, "correlation.condition.field", at, name)?;
        if together && field.kind == Kind::List {
            let name = clean(name, 60);
            return notes.mistake(
                at,
                format!("correlation.condition.field: `{name}` is a list, which has no combinations with others"),
            );
        }
        self.column(notes, at, &field)
    }

    /// A column of numbers.
    pub(super) fn number(
        &mut self,
        notes: &mut Notes<'_>,
        at: Place,
        name: &str,
    ) -> Option<String> {
        let field = self.resolve(notes, "correlation.condition.field", at, name)?;
        match field.kind {
            Kind::Number => self.column(notes, at, &field),
            Kind::Json => {
                let number = Field {
                    sql: format!("TRY_CAST({} AS DOUBLE)", field.sql),
                    ..field
                };
                self.column(notes, at, &number)
            }
            _ => {
                let name = clean(name, 60);
                notes.mistake(
                    at,
                    format!("correlation.condition.field: `{name}` holds no numbers"),
                )
            }
        }
    }

    /// Whether rows must be taken apart by the rule that they belong to.
    pub(super) fn is_aliased(&self) -> bool {
        self.aliased
    }

    /// Name and SQL of the columns to make.
    pub(super) fn projected(self) -> Vec<(String, String)> {
        self.made
    }

    /// The name of the column that holds a field.
    fn column(&mut self, notes: &mut Notes<'_>, at: Place, field: &Field) -> Option<String> {
        let name = &field.name;
        let known = self.made.iter().find(|(made, _)| made == name);
        let taken = match known {
            Some((_, sql)) => *sql != field.sql,
            None => name == "step",
        };
        if taken {
            return notes.mistake(
                at,
                format!(
                    "correlation: two things would be the column {name}; give an alias another name"
                ),
            );
        }
        if field.sql != *name && known.is_none() {
            self.made.push((name.clone(), field.sql.clone()));
        }
        Some(name.clone())
    }

    fn resolve(
        &mut self,
        notes: &mut Notes<'_>,
        what: &str,
        at: Place,
        name: &str,
    ) -> Option<Field> {
        if let Some(alias) = self.aliases.iter().find(|alias| alias.name == name) {
            return self.alias(notes, at, alias);
        }
        field(name).map_or_else(
            |error| notes.mistake(at, format!("{what}: field `{}`: {error}", clean(name, 60))),
            Some,
        )
    }

    /// The field of the rule that the row belongs to, whose name the rows have in `step` then.
    fn alias(&mut self, notes: &mut Notes<'_>, at: Place, alias: &Alias) -> Option<Field> {
        let what = format!("correlation.aliases.{}", clean(&alias.name, 60));
        let mut fields: Vec<Field> = Vec::new();
        for part in self.parts {
            let named = alias
                .fields
                .iter()
                .find(|(_, rule, _)| part.document.is(rule));
            let (at, name) = named.map_or((at, alias.name.as_str()), |(at, _, name)| (*at, name));
            match field(name) {
                Ok(found) if found.kind == Kind::List => {
                    let name = clean(name, 60);
                    return notes.mistake(
                        at,
                        format!("{what}: `{name}` is a list, which has no alias"),
                    );
                }
                Ok(found) => fields.push(found),
                Err(_) if named.is_none() => {
                    let rule = part.document.name.as_ref().map(|(_, name)| name);
                    let rule = rule
                        .or(part.document.id.as_ref())
                        .map_or("", String::as_str);
                    let rule = clean(rule, 60);
                    return notes.mistake(at, format!("{what}: names no field of `{rule}`"));
                }
                Err(error) => {
                    let name = clean(name, 60);
                    return notes.mistake(at, format!("{what}: field `{name}`: {error}"));
                }
            }
        }
        let first = fields.first()?;
        if fields.iter().all(|field| field == first) {
            return Some(first.clone());
        }
        let same_kind = fields.iter().all(|field| field.kind == first.kind);
        let cases = self.parts.iter().zip(&fields).map(|(part, field)| {
            let sql = match same_kind {
                true => field.sql.clone(),
                false => format!("CAST({} AS VARCHAR)", field.sql),
            };
            format!("        WHEN {} THEN {sql}\n", literal(&part.step))
        });
        self.aliased = true;
        Some(Field {
            sql: format!("CASE step\n{}    END", cases.collect::<String>()),
            kind: if same_kind { first.kind } else { Kind::Text },
            name: snake(&alias.name),
        })
    }
}
