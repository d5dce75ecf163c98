const EVENTS_MAX_STREAM_LEN = 100_000;

/** About how many events are kept, as scripts take it: 0 = no events. */
export function eventsCapOf(options: {
  eventsEnabled?: boolean | undefined;
  eventsMaxStreamLen?: number | undefined;
}): number {
  return options.eventsEnabled === false ? 0 : (options.eventsMaxStreamLen ?? EVENTS_MAX_STREAM_LEN);
}
