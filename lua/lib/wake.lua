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
