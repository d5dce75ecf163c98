export function embed(): void;
export function scriptsModule(folder: string): string;
