const EVENTS_MAX_STREAM_LEN = 100_000;
/** From how many jobs of one step on the events share an entry. Below it, each event gets its own entry. */
const BATCH_FROM = 16;

/** How scripts write events. */
export interface EventsSettings {
  /** About how many events are kept; 0 = no events. */
  eventsCap: number;
  /** From how many jobs of one step on the events share an entry; 0 = never. */
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
