import type { SliceBounds } from '../../../redis/scripts/lib/job-filter.js';

/** What one call that only looks at jobs reads: about 1 ms of Redis's time, unless a single entry is larger. */
export const STEP: SliceBounds = { entries: 400, bytes: 512 * 1024 };

/** The same for dead letters, which have more fields. */
export const LETTER_STEP: SliceBounds = { entries: 150, bytes: 256 * 1024 };

/** What one call reads that looks for jobs to change. */
export const OPERATION_STEP: SliceBounds = { entries: 1_000, bytes: 1024 * 1024 };
