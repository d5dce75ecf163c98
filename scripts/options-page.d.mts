/** The text of docs/options.md, and the options whose doc comment lacks a text or a default. */
export function optionsPage(): Promise<{ page: string; undocumented: string[] }>;
