-- Remembers for a day that a schedule was removed, or is over. A schedule that is missing without this record was lost with
-- Redis's data, and the applications that declare it register it again.
local function removed_key(prefix, key)
  return prefix .. 'repeat:gone:' .. key
end

local function remember_removed(prefix, key)
  redis.call('SET', removed_key(prefix, key), '1', 'PX', 86400000)
end
