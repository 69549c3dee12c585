//! What the SELECT of a rule may do: filter, project and unnest versions of findings, and nothing that would make the answer
//! depend on when or over what it is asked. A query may ask anything that only reads.

use std::collections::BTreeMap;

use alerts::{Count, Kind, Mistake, Rule, RuleError};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use crate::evaluate::lists;
use crate::mistake::{Place, QueryError, Words, closest};
use crate::params::Value;
use crate::session::Session;

/// Tables whose rows are versions of findings and never change.
const MEASURABLE: [&str; 4] = ["observations", "versions", "findings", "occurrences"];

/// Columns that change when account names are read anew.
const ACCOUNT_COLUMNS: [&str; 2] = ["account_name", "ou"];

/// Whether a function knows names and units of accounts.
fn is_of_accounts(function: &str) -> bool {
    function.starts_with("account_") || function == "in_ou"
}

/// Plans the SELECT of a rule and says all that keeps it from being evaluated exactly, with places in the rule's file.
pub async fn check(session: &Session, rule: &Rule) -> Result<(), RuleError> {
    checked(session, rule).await.map(|_| ())
}

/// As [`check`], and answers with the rule and what only a plan tells of it: which of its columns are lists.
pub async fn checked(session: &Session, rule: &Rule) -> Result<Rule, RuleError> {
    let mut report = Report {
        rule,
        words: Words::of(&rule.sql),
        mistakes: Vec::new(),
    };
    // Without the views' own plans, so that only what the rule itself does is looked at.
    let shallow = session
        .shallow()
        .map_err(|error| report.alone(QueryError::of(&error, &rule.sql, session.names())))?;
    let mut values = BTreeMap::new();
    if rule.kind == Kind::Query {
        values.insert("as_of".to_owned(), Value::Timestamp(0));
    }
    let plan = shallow
        .plan(&rule.sql, &values)
        .await
        .map_err(|error| report.alone(error))?;
    let walk = plan.apply(|node| {
        if rule.kind != Kind::Query {
            report.node(node);
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                report.expression(expr);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walk.map_err(|error: DataFusionError| {
        report.alone(QueryError::of(&error, &rule.sql, session.names()))
    })?;
    report.columns(plan.schema());
    report.mistakes.sort();
    report.mistakes.dedup();
    match report.mistakes.is_empty() {
        true => Ok(Rule {
            lists: lists(plan.schema(), rule),
            ..rule.clone()
        }),
        false => Err(RuleError {
            rule: rule.id.clone(),
            file: format!("{}.sql", rule.id),
            mistakes: report.mistakes,
        }),
    }
}

struct Report<'a> {
    rule: &'a Rule,
    words: Words,
    mistakes: Vec<Mistake>,
}

impl Report<'_> {
    fn node(&mut self, node: &LogicalPlan) {
        match node {
            LogicalPlan::TableScan(scan) => {
                let table = scan.table_name.table();
                if !MEASURABLE.contains(&table) {
                    let why = match table {
                        "current_findings" => {
                            "current_findings forgets the versions before the last"
                        }
                        _ => "only versions of findings can be measured",
                    };
                    self.at_word(
                        table,
                        format!("select from observations, not {table}: {why}"),
                    );
                }
            }
            LogicalPlan::Filter(filter) => {
                let named = filter
                    .predicate
                    .column_refs()
                    .into_iter()
                    .find(|column| is_account_column(&column.name));
                if let Some(column) = named {
                    let why = "changes with the next sync; leave it to routes and wording";
                    self.at_word(
                        &column.name,
                        format!("{} cannot be filtered by: it {why}", column.name),
                    );
                }
            }
            LogicalPlan::Projection(projection) => {
                projection.expr.iter().for_each(|expr| self.projected(expr))
            }
            LogicalPlan::SubqueryAlias(_) | LogicalPlan::Unnest(_) | LogicalPlan::Sort(_) => {}
            LogicalPlan::Aggregate(_) => self.refuse(
                &["GROUP", "HAVING"],
                "aggregates: the header counts, the SELECT only filters",
            ),
            LogicalPlan::Window(_) => {
                self.refuse(&["OVER"], "window functions: the header says the window")
            }
            LogicalPlan::Distinct(_) => self.refuse(
                &["DISTINCT"],
                "DISTINCT: findings are counted once as it is",
            ),
            LogicalPlan::Limit(_) => self.refuse(
                &["LIMIT", "OFFSET", "FETCH"],
                "LIMIT and OFFSET: all rows count",
            ),
            LogicalPlan::Join(_) => self.refuse(
                &["JOIN"],
                "joins: only versions of findings can be measured",
            ),
            LogicalPlan::Union(_) => self.refuse(&["UNION"], "UNION: write one SELECT with OR"),
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => self.refuse(
                &["VALUES", "SELECT"],
                "rows of its own: select from observations",
            ),
            LogicalPlan::Subquery(_) => {}
            _ => self.refuse(
                &[],
                "anything but a SELECT that filters, projects and unnests",
            ),
        }
    }

    /// Account names may be shown under their own names, for reading, and in no other way.
    fn projected(&mut self, expr: &Expr) {
        let named = expr
            .column_refs()
            .into_iter()
            .find(|column| is_account_column(&column.name));
        if let Some(column) = named
            && expr.qualified_name().1 != column.name
        {
            self.at_word(
                &column.name,
                format!(
                    "{} can be shown, but nothing can be made of it: it changes with the next sync",
                    column.name
                ),
            );
        }
    }

    fn expression(&mut self, expr: &Expr) {
        let query = self.rule.kind == Kind::Query;
        match expr {
            Expr::ScalarFunction(call) => {
                let name = call.name();
                match call.func.signature().volatility {
                    Volatility::Immutable => {}
                    Volatility::Volatile => self.at_word(
                        name,
                        format!("{name}() gives another answer each time it is asked"),
                    ),
                    Volatility::Stable if is_of_accounts(name) && query => {}
                    Volatility::Stable if is_of_accounts(name) => {
                        self.at_word(name, format!("{name}() changes with the next sync; leave names to routes and wording"));
                    }
                    Volatility::Stable => {
                        self.at_word(
                            name,
                            match query {
                                true => format!("{name}() is not known when the past is asked; use $as_of"),
                                false => format!("{name}() depends on when it is asked: the window is in event time"),
                            },
                        );
                    }
                }
            }
            Expr::ScalarSubquery(_)
            | Expr::InSubquery(_)
            | Expr::Exists(_)
            | Expr::SetComparison(_)
                if !query =>
            {
                let inner = self.words.nth("SELECT", 1).or(self.words.find("SELECT"));
                self.at(
                    inner,
                    "a rule takes no subqueries: rows would depend on other rows".to_owned(),
                );
            }
            _ => {}
        }
    }

    /// The columns that the sweep needs.
    fn columns(&mut self, schema: &DFSchema) {
        let mut needed = match self.rule.kind {
            Kind::Query => vec!["event_time"],
            _ => vec!["account_id", "region", "finding_id", "event_time"],
        };
        let counts: Vec<Count> = self.rule.counts().cloned().collect();
        let counts_by = |name: &str| match name {
            "version_id" => counts.iter().find(|count| {
                !count.is_whole() || matches!(count, Count::Versions | Count::Occurrences)
            }),
            _ => counts.iter().find(|count| **count == Count::Occurrences),
        };
        needed.extend(
            ["version_id", "increase"]
                .into_iter()
                .filter(|name| counts_by(name).is_some()),
        );
        if let Kind::Sequence { .. } = self.rule.kind {
            needed.push("step");
        }
        for name in needed {
            match schema.field_with_unqualified_name(name) {
                Err(_) => {
                    let why = match name {
                        "version_id" | "increase" => {
                            let count = counts_by(name).map_or(String::new(), Count::to_string);
                            format!("count: {count} needs it; observations has it")
                        }
                        "step" => "it names the step of each row".to_owned(),
                        _ if self.rule.kind == Kind::Query => {
                            "it says when the row happened".to_owned()
                        }
                        _ => "every rule needs it".to_owned(),
                    };
                    self.at(
                        self.words.find("SELECT"),
                        format!("the SELECT yields no column {name}: {why}"),
                    );
                }
                Ok(field)
                    if name == "event_time"
                        && !matches!(field.data_type(), DataType::Timestamp(..)) =>
                {
                    self.at_word(name, "event_time must be a timestamp".to_owned());
                }
                Ok(field) if name == "increase" && !field.data_type().is_integer() => {
                    self.at_word(name, "increase must be a whole number".to_owned());
                }
                Ok(_) => {}
            }
        }
        for name in &self.rule.group_by {
            self.key(schema, "group_by", name);
        }
        for count in &counts {
            let role = match self.rule.kind {
                Kind::NewTerms { .. } => "term",
                _ => "count",
            };
            for name in count.columns() {
                self.key(schema, role, name);
                let numeric = schema
                    .field_with_unqualified_name(name)
                    .is_ok_and(|field| field.data_type().is_numeric());
                if !count.is_whole() && !numeric {
                    self.at(
                        self.words.find("SELECT"),
                        format!("count: {count} needs a column of numbers"),
                    );
                }
            }
        }
    }

    /// A column that is grouped by or whose values are counted.
    fn key(&mut self, schema: &DFSchema, role: &str, name: &str) {
        let select = self.words.find("SELECT");
        if is_account_column(name) && self.rule.kind != Kind::Query {
            return self.at(
                select,
                format!("{role}: {name} changes with the next sync; use account_id"),
            );
        }
        match schema.field_with_unqualified_name(name) {
            Ok(field) if field.data_type().is_nested() && !is_list_of_plain(field.data_type()) => {
                self.at(
                    select,
                    format!("{role}: {name} is made of parts; select the part that is meant"),
                );
            }
            Ok(_) => {}
            Err(_) => {
                let names = schema.fields().iter().map(|field| field.name().as_str());
                let hint = closest(name, names)
                    .map_or(String::new(), |near| format!(" (did you mean \"{near}\"?)"));
                self.at(
                    select,
                    format!("{role}: the SELECT yields no column \"{name}\"{hint}"),
                );
            }
        }
    }

    fn refuse(&mut self, words: &[&str], what: &str) {
        let place = words
            .iter()
            .find_map(|word| self.words.find(word))
            .or_else(|| self.words.first());
        self.at(place, format!("a rule takes no {what}"));
    }

    fn at_word(&mut self, word: &str, message: String) {
        let place = self.words.find(word).or_else(|| self.words.first());
        self.at(place, message);
    }

    fn at(&mut self, place: Option<Place>, message: String) {
        let (line, column) = in_file(self.rule, place);
        self.mistakes.push(Mistake {
            line,
            column,
            message,
        });
    }

    /// The one mistake that keeps the SELECT from being planned.
    fn alone(&self, error: QueryError) -> RuleError {
        let (line, column) = in_file(self.rule, error.place);
        let message = match error.help {
            Some(help) => format!("{} ({help})", error.message),
            None => error.message,
        };
        RuleError {
            rule: self.rule.id.clone(),
            file: format!("{}.sql", self.rule.id),
            mistakes: vec![Mistake {
                line,
                column,
                message,
            }],
        }
    }
}

/// A place in the SELECT as line and column of the rule's file.
fn in_file(rule: &Rule, place: Option<Place>) -> (usize, usize) {
    match place {
        None => (rule.sql_line, rule.sql_column),
        Some(Place {
            line: 1, column, ..
        }) => (rule.sql_line, rule.sql_column + column as usize - 1),
        Some(Place { line, column, .. }) => (rule.sql_line + line as usize - 1, column as usize),
    }
}

fn is_account_column(name: &str) -> bool {
    ACCOUNT_COLUMNS.contains(&name)
}

fn is_list_of_plain(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) | DataType::LargeList(item) => !item.data_type().is_nested(),
        _ => false,
    }
}
