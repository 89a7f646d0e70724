//! docs/evidence.md says what the tables are.

use super::super::columns::fields;
use super::super::table::Column;
use super::*;
use crate::evidence::store::columns::DERIVED;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/evidence.md"));

#[test]
fn the_page_has_every_column_of_every_table() {
    for table in Table::ALL {
        let is_field = |column: &Column| table == Table::Events && fields().any(|field| field.name() == column.name);
        let columns = table.columns();
        let own = columns.iter().filter(|column| !is_field(column));
        let rows: String = own.map(|c| format!("| `{}` | {} | {} |\n", c.name, c.kind.name(), c.says)).collect();
        let expected = format!("| column | type | what it says |\n|---|---|---|\n{rows}\n");
        assert!(PAGE.contains(&expected), "docs/evidence.md, `{}`, should have:\n{expected}", table.name());
    }
    let derived: Vec<String> = DERIVED.iter().map(|field| format!("`{}`", field.name())).collect();
    let page = PAGE.replace('\n', " ");
    assert!(page.contains(&format!("follow from others ({})", derived.join(", "))), "{derived:?}");
}
