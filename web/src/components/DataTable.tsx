import { Table, Text } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./DataTable.module.css";

interface Column<T> {
  title: string;
  cell: (item: T) => ReactNode;
}

interface DataTableProps<T> {
  caption: string;
  columns: Column<T>[];
  items: T[];
  keyOf: (item: T) => string | number;
  /** Said instead of a table without rows. */
  none: string;
}

/** A table whose first column names the row. Wider than the window, it scrolls by itself. */
export function DataTable<T>({ caption, columns, items, keyOf, none }: DataTableProps<T>) {
  if (items.length === 0) return <Text c="dimmed">{none}</Text>;
  return (
    <div className={classes.scroll} tabIndex={0} role="region" aria-label={caption}>
      <Table verticalSpacing="sm" className={classes.table}>
        <caption className={classes.caption}>{caption}</caption>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column.title} scope="col">
                {column.title}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((item) => (
            <Table.Tr key={keyOf(item)}>
              {columns.map((column, i) =>
                i === 0 ? (
                  <Table.Th key={column.title} scope="row">
                    {column.cell(item)}
                  </Table.Th>
                ) : (
                  <Table.Td key={column.title}>{column.cell(item)}</Table.Td>
                ),
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
