-- Writes the events of many jobs as one entry: one XADD per event costs more than the rest of the work for a job. The entry
-- has the fields
--   e = batch   of = the events, comma-separated, in their order   ts   jobs = how many
--   started = the event `active` stands for the first so many jobs; absent = for all
-- and then the fields that an entry for one job has. A field whose value differs between jobs has its plural name, and
-- its value is a JSON list with one element per job.
-- With `eventsBatched: false`, announce_each expands the same fields into one entry per event.

-- @include lib/events
-- @include lib/time

-- MAXLEN counts entries, whatever they contain. So batches are counted by their jobs: `events:batches` has the first entry
-- of each sixteenth of `cap`. Its score is the number of jobs in all batches up to the end of that sixteenth.
local function bound_batches(events, prefix, cap, entry, jobs)
  local call, parts = redis.pcall, prefix .. 'events:batches'
  local newest = call('ZRANGE', parts, -2, -1, 'WITHSCORES')
  local before, last = tonumber(newest[2]), tonumber(newest[4] or newest[2]) or 0
  local total = last + jobs
  if newest[4] and total - before <= cap / 16 then
    call('ZADD', parts, decimal(total), newest[3])
  else
    call('ZADD', parts, decimal(total), entry)
  end
  local oldest = call('ZRANGE', parts, 0, 1, 'WITHSCORES')
  if oldest[4] and total - tonumber(oldest[2]) >= cap then
    call('XTRIM', events, 'MINID', '~', oldest[3])
    call('ZREMRANGEBYRANK', parts, 0, 0)
  end
end

-- Chains of `if` instead of tables: each call of each script would have to build a table anew.
local function singular_of(field)
  if field == 'ids' then
    return 'id'
  elseif field == 'names' then
    return 'n'
  elseif field == 'attempts' then
    return 'attempt'
  elseif field == 'durations_us' then
    return 'duration_us'
  elseif field == 'returnvalues' then
    return 'returnvalue'
  elseif field == 'reasons' then
    return 'reason'
  elseif field == 'backoffs_ms' then
    return 'backoff_ms'
  elseif field == 'delays_ms' then
    return 'delay_ms'
  elseif field == 'deduplication_ids' then
    return 'deduplication_id'
  elseif field == 'deduplicated_job_ids' then
    return 'deduplicated_job_id'
  end
end

-- The fields of an event beside id, ts and n.
local function fields_of(event)
  if event == 'delayed' then
    return { 'delay_ms' }
  elseif event == 'active' then
    return { 'attempt' }
  elseif event == 'completed' then
    return { 'attempt', 'duration_us', 'returnvalue' }
  elseif event == 'failed' then
    return { 'attempt', 'reason', 'duration_us' }
  elseif event == 'retry-scheduled' then
    return { 'attempt', 'backoff_ms' }
  elseif event == 'deduplicated' then
    return { 'deduplication_id', 'deduplicated_job_id' }
  end
  return {}
end

-- Reads columns (pairs of field and value). Returns the values that all jobs share, by field; and the lists, by field.
local function read_columns(columns)
  local same, each = {}, {}
  for c = 1, #columns, 2 do
    local field = singular_of(columns[c])
    if field then
      local readable, values = pcall(cjson.decode, columns[c + 1])
      each[field] = readable and values or {}
    else
      same[columns[c]] = columns[c + 1]
    end
  end
  return same, each
end

-- Writes an entry per event: for few jobs, and for a batch of which some jobs have no event.
local function announce_each(events, ts, of, jobs, started, columns, left_out)
  local same, each = read_columns(columns)
  local function value_of(field, i)
    return same[field] or each[field] and each[field][i]
  end
  for event in string.gmatch(of, '[^,]+') do
    local fields = fields_of(event)
    for i = 1, event == 'active' and started or jobs do
      if not left_out[i] then
        local values = {}
        for f = 1, #fields do
          local field = fields[f]
          local value = value_of(field, i)
          if event == 'retry-scheduled' and field == 'attempt' then
            -- The column has the attempt that failed. The event has the next one.
            value = value and tonumber(value) + 1
          end
          -- A return value of '' means that there is none.
          if value and (value ~= '' or field == 'reason') then
            values[#values + 1] = field
            values[#values + 1] = type(value) == 'number' and decimal(value) or value
          end
        end
        write_event(events, event, value_of('id', i) or '', ts, value_of('n', i) or '', unpack(values))
      end
    end
  end
end

-- Writes the same events for all jobs of a call.
--   of          the events, comma-separated
--   started     the event `active` is written for the first so many jobs
--   columns     pairs of field and value, as above
--   left_out    by index: jobs that have no event after all
--   batch_from  the events of at least so many jobs share an entry; 0 = each has its own
local function announce_jobs(events, prefix, cap, batch_from, ts, of, jobs, started, columns, left_out)
  if batch_from == 0 or jobs < batch_from or next(left_out) then
    announce_each(events, ts, of, jobs, started, columns, left_out)
  else
    local entry
    -- There are about ten columns, far below the limit of `unpack`.
    if started < jobs and string.find(of, 'active', 1, true) then
      entry = redis.pcall('XADD', events, '*', 'e', 'batch', 'of', of, 'ts', ts, 'jobs', jobs, 'started', started, unpack(columns))
    else
      entry = redis.pcall('XADD', events, '*', 'e', 'batch', 'of', of, 'ts', ts, 'jobs', jobs, unpack(columns))
    end
    if not entry.err then
      bound_batches(events, prefix, cap, entry, jobs)
    end
  end
  trim_events(events, cap)
end
