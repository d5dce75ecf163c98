-- Which of these entries were cancelled while they were in flight, as a set: see cancel.lua. `own`: the entries of the list
-- that count.
local function cancelled_among(prefix, entries, own)
  local cancelled, ids, marks = {}, {}, {}
  local function read_marks()
    for i, mark in ipairs(redis.call('MGET', unpack(marks))) do
      cancelled[ids[i]] = mark
    end
    ids, marks = {}, {}
  end
  for i = 1, #entries do
    local id = entries[i]
    if own[id] then
      ids[#ids + 1] = id
      marks[#marks + 1] = prefix .. 'cancelled:' .. id
      -- In slices: `unpack` fails near 8,000 values.
      if #ids == 1000 then
        read_marks()
      end
    end
  end
  if #ids > 0 then
    read_marks()
  end
  return cancelled
end
