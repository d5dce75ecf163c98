-- Events of many jobs in one entry: an XADD for each costs more than all else that is done for a job. The entry says
--   e = batch   of = the events, comma-separated, in their order   ts   jobs = how many
--   started = how many of them, from the first on, the event `active` stands for; left out where it is all of them
-- and then what an entry for one job would say. A field that differs from job to job is in the plural, and holds a JSON
-- list with one element for each.

-- @include lib/events

-- MAXLEN counts entries, whatever they hold. So the batches are counted by their jobs: `events:batches` has the first
-- entry of each sixteenth of `cap`, scored with the jobs of all batches up to that part's end.
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

-- Chains instead of tables, which every call of every script would have to build.
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
  end
end

-- What an event says beside id, ts and n.
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
  end
  return {}
end

-- What the columns say: of all jobs alike, by field; and by field and job.
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

-- Entry by entry: for few jobs, and where some of a batch are to be left out.
local function announce_each(events, ts, of, jobs, started, columns, left_out)
  local same, each = read_columns(columns)
  local function value_of(field, i)
    return same[field] or each[field] and each[field][i]
  end
  for event in string.gmatch(of, '[^,]+') do
    local fields = fields_of(event)
    for i = 1, event == 'active' and started or jobs do
      if not left_out[i] then
        local entry = { 'e', event, 'id', value_of('id', i) or '', 'ts', ts }
        local name = value_of('n', i)
        if name and name ~= '' then
          entry[7], entry[8] = 'n', name
        end
        for f = 1, #fields do
          local field = fields[f]
          local value = value_of(field, i)
          if event == 'retry-scheduled' and field == 'attempt' then
            value = value and tonumber(value) + 1
          end
          -- No return value is ''.
          if value and (value ~= '' or field == 'reason') then
            entry[#entry + 1] = field
            entry[#entry + 1] = type(value) == 'number' and decimal(value) or value
          end
        end
        redis.pcall('XADD', events, '*', unpack(entry))
      end
    end
  end
end

-- Announces the same for all jobs of a call. `columns`: what their events say, pairs of field and value as above.
-- `left_out`: which of them, by index, have no event after all. `batch_from` 0 = each in an entry of its own.
local function announce_jobs(events, prefix, cap, batch_from, ts, of, jobs, started, columns, left_out)
  if batch_from == 0 or jobs < batch_from or next(left_out) then
    announce_each(events, ts, of, jobs, started, columns, left_out)
  else
    local entry
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
