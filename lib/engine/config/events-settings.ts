const EVENTS_MAX_STREAM_LEN = 100_000;
/** Fewer jobs than this in one step get an entry each: more of them together are what costs. */
const BATCH_FROM = 16;

/** How events are written, as scripts take it. */
export interface EventsSettings {
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  /** From how many jobs of one step on their events share an entry; 0 = never. */
  eventsBatchFrom: number;
}

export function eventsSettingsOf(options: {
  eventsEnabled?: boolean | undefined;
  eventsMaxStreamLen?: number | undefined;
  eventsBatched?: boolean | undefined;
}): EventsSettings {
  const { eventsEnabled, eventsMaxStreamLen = EVENTS_MAX_STREAM_LEN, eventsBatched } = options;
  return {
    eventsCap: eventsEnabled === false ? 0 : eventsMaxStreamLen,
    eventsBatchFrom: eventsBatched === false ? 0 : BATCH_FROM,
  };
}
