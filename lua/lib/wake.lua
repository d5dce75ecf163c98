-- Wakes workers: writes to the wake streams on which their blocking reads listen. Wakes can get lost, so each worker also looks
-- by itself once a second. A failure here fails no job.
-- @include lib/stream-info
-- @include lib/time

-- Each wake costs Redis a few µs. Workers beyond that many learn of a change within a second.
local MOST_WAKES = 1000

-- All workers, because the policy has changed. `others`: consumers to wake that the stream does not know any more.
local function wake_workers(stream, prefix, others)
  local names = consumer_names(stream, MOST_WAKES)
  for i = 1, others and #others or 0 do
    names[#names + 1] = others[i]
  end
  for _, name in ipairs(names) do
    -- NOMKSTREAM: a third-party worker has no such stream.
    redis.pcall('XADD', prefix .. 'wake:worker:' .. name, 'NOMKSTREAM', '*', 'policy', '1')
  end
end

-- Workers of a gated queue with free handlers are in the sorted set `wake:idle`, by the unix ms at which they last asked for
-- work. Wakes at most so many of them, those first that have asked last: a worker that has died does not ask any more.
local function wake_idle(prefix, most)
  local idle = prefix .. 'wake:idle'
  most = math.min(most, 100)
  while most > 0 do
    local popped = redis.pcall('ZPOPMAX', idle, most)
    for i = 1, #popped, 2 do
      local added = redis.pcall('XADD', prefix .. 'wake:worker:' .. popped[i], 'NOMKSTREAM', 'MAXLEN', '~', 100, '*', 'take', '1')
      -- Otherwise the worker has left, and the next one is woken instead.
      if type(added) == 'string' then
        most = most - 1
      end
    end
    if #popped == 0 then
      return
    end
  end
end
