/**
 * Ids and names that the pages of Bull Board cannot have in an address. Its router decodes an address twice, so a percent sign
 * is an error, and browsers resolve `.` and `..`. The board shows look-alikes instead.
 */
const LOOK_ALIKES = [
  ['%', '\uff05'],
  ['.', '\u2024'],
  ['..', '\u2025'],
] as const;

/** The id or name as the board shows it. */
export function toBoardId(id: string): string {
  const dots = LOOK_ALIKES.find(([text]) => text === id);
  return dots ? dots[1] : id.replaceAll('%', '\uff05');
}

/** What an id of the board may mean: itself, and what it looks like. */
export function fromBoardId(id: string): readonly string[] {
  const dots = LOOK_ALIKES.find(([, shown]) => shown === id);
  const meant = dots ? dots[0] : id.replaceAll('\uff05', '%');
  return meant === id ? [id] : [meant, id];
}
