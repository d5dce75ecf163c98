-- What becomes of a new job whose deduplication id may be taken.
-- @include lib/dedup
-- @include lib/delayed-member
-- @include lib/split-job
-- @include lib/event-batch

-- Bits of the modes: the options `extend`, `replace`, `reschedule` and `keepLastIfActive`.
local function has_mode(modes, bit)
  return math.floor(modes / bit) % 2 == 1
end

-- Whether a job in the delayed set has started before: it waits for its next attempt.
local function has_started(member)
  local _, d = split_member(member)
  local _, _, attempt = parts_of(d)
  return attempt ~= nil and string.byte(d, attempt) ~= 0
end

-- Keeps the newest job until the active one has ended; it replaces the one that was kept before.
local function park(delayed, prefix, key, new, next_job)
  if next_job then
    local member = text_of(prefix .. 'didx:' .. next_job)
    if member then
      redis.call('ZREM', delayed, member)
    end
    free_id(prefix, next_job)
    redis.pcall('HDEL', prefix .. 'dedup:parked', next_job)
  end
  redis.call('ZADD', delayed, decimal(math.max(new.due, new.now + PARKED_MS)), new.member)
  redis.call('SET', prefix .. 'dlid:' .. new.id, '0:')
  redis.call('SET', prefix .. 'didx:' .. new.id, new.member)
  redis.call('SADD', prefix .. 'delayed:unique', new.id)
  redis.call('HSET', key, 'next', new.id, 'due', decimal(new.due))
  redis.call('PERSIST', key)
  set_field(prefix .. 'dedup:parked', new.id, new.dedup)
end

-- `new`: the job: its id and member in the delayed set; its deduplication id (dedup), modes and ttl; when it is due, and the
-- time now. Returns
--   nil            the id was free: the job is to be added, and has the id now
--   nil, job       the same; it replaces this job, which was delayed and is deleted; then the dispatch name of that job
--   job            this job has the id: nothing is to be added
--   job, nil, name, due  the same; that job, of this name, is due at this time now
local function deduplicate(stream, delayed, prefix, new)
  local key = dedup_key(prefix, new.dedup)
  local job, next_job, due = holder_of(key)
  local keeps_last = has_mode(new.modes, 8)
  local life = job and life_of(stream, delayed, prefix, job)
  if next_job and life ~= 'live' then
    -- Nobody has said that the job has ended.
    hand_over_dedup(stream, delayed, prefix, key, next_job, due)
    job, next_job = holder_of(key)
    life = job and life_of(stream, delayed, prefix, job)
  end
  local left = job and redis.call('PTTL', key) or -2
  if not job or (life ~= 'live' and left < 0) then
    set_field(key, 'job', new.id)
    if new.ttl > 0 and not keeps_last then
      redis.call('PEXPIRE', key, decimal(new.ttl))
    end
    return nil
  end

  local state, place
  if life == 'live' then
    state, place = locate(stream, delayed, prefix, job, '', '')
  end
  if has_mode(new.modes, 1) and new.ttl > 0 and left >= 0 then
    redis.call('PEXPIRE', key, decimal(new.ttl))
  end
  if keeps_last and state and (state == 'active' or next_job or (state == 'delayed' and has_started(place))) then
    park(delayed, prefix, key, new, next_job)
  elseif state == 'delayed' and has_mode(new.modes, 2) then
    local name, d = split_member(place)
    redis.call('ZREM', delayed, place)
    -- Its retry may have kept the slot of its strict group.
    move_hold(prefix, d, place)
    free_id(prefix, job)
    redis.call('HSET', key, 'job', new.id)
    return nil, job, name
  elseif state == 'delayed' and has_mode(new.modes, 4) then
    redis.call('ZADD', delayed, 'XX', decimal(new.due), place)
    return job, nil, (split_member(place)), new.due
  end
  return job
end

-- Writes the event `deduplicated` of jobs that met another job. `met`: job id, name, deduplication id and id of the other job.
local function announce_met(events, prefix, cap, batch_from, ts, met)
  local names = { 'ids', 'names', 'deduplication_ids', 'deduplicated_job_ids' }
  local columns = {}
  for c = 1, #names do
    local values = {}
    for i = 1, #met do
      values[i] = met[i][c]
    end
    columns[2 * c - 1], columns[2 * c] = names[c], cjson.encode(values)
  end
  announce_jobs(events, prefix, cap, batch_from, ts, 'deduplicated', #met, #met, columns, {})
end
