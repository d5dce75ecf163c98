/**
 * Ids and names that the pages of Bull Board cannot have in an address. Its router decodes an address twice, so a percent sign
 * is an error, and browsers resolve `.` and `..`. The board shows look-alikes instead. An id that has a look-alike itself gets a mark
 * before it, so that no two ids look the same.
 */
const LOOK_ALIKES = [
  ['.', '\u2024'],
  ['..', '\u2025'],
] as const;
const PERCENT = '\uff05';
/** The mark. It also begins the ids of rows, which are not the ids of jobs: see unreadable-job.ts. */
export const MARK = '⟦';

/** The id or name as the board shows it. */
export function toBoardId(id: string): string {
  for (const [text, shown] of LOOK_ALIKES) {
    if (id === text) return shown;
    if (id === shown) return MARK + shown;
  }
  return id.replaceAll(/[⟦\uff05]/g, `${MARK}$&`).replaceAll('%', PERCENT);
}

/** What an id of the board means. */
export function fromBoardId(shown: string): string {
  const dots = LOOK_ALIKES.find(([, lookAlike]) => lookAlike === shown);
  if (dots) return dots[0];
  return shown.replaceAll(/⟦([⟦\uff05\u2024\u2025])|\uff05/g, (_, literal?: string) => literal ?? '%');
}
