-- What a group has of its own, as text: '<concurrency>|<max>|<duration>', each '' = as for all groups; then, if none of its jobs may
-- start for a while, '|' and until when, in unix ms. Bytes of somebody else's, or no text, say nothing.

local function own_parts(text)
  local concurrency, max, duration, limited = string.match(text or '', '^(%d*)|(%d*)|(%d*)|?(%d*)$')
  return concurrency or '', max or '', duration or '', limited or ''
end

-- The text; nil if the group has nothing of its own.
local function own_text(concurrency, max, duration, limited)
  local text = string.format('%s|%s|%s', concurrency, max, duration)
  if limited ~= '' then
    return text .. '|' .. limited
  end
  return text ~= '||' and text or nil
end

-- `policy`: the hash that says it; `text`: nil = nothing.
local function write_own(policy, group, text)
  if text then
    redis.call('HSET', policy, group, text)
  else
    redis.call('HDEL', policy, group)
  end
end

-- The time is over until which no job of a group might start. `own`: the text.
local function forget_limited(policy, group, own)
  local concurrency, max, duration = own_parts(own)
  write_own(policy, group, own_text(concurrency, max, duration, ''))
end

-- take.lua forgets such times when it comes to their groups. Of groups that have no more jobs, this forgets some by chance: more than
-- come in, so they cannot become many.
local function forget_some_limited(policy, now)
  local some = redis.call('HRANDFIELD', policy, 4, 'WITHVALUES')
  for i = 1, #some, 2 do
    local _, _, _, limited = own_parts(some[i + 1])
    if limited ~= '' and tonumber(limited) <= now then
      forget_limited(policy, some[i], some[i + 1])
    end
  end
end
