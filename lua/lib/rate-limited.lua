-- Jobs whose handlers have ended with a RateLimitError, which retry.lua puts back.
-- @include lib/limits
-- @include lib/group-policy
-- @include lib/pages
-- @include lib/enter-room

local function find_limited(stream, prefix, entries, indices, left_out)
  local meta, now, fields_of = prefix .. 'meta', now_ms(), {}
  local of_queue = limit_of(redis.call('HGET', meta, 'limited'))
  local policy = group_policy(prefix, meta)
  for _, index in ipairs(indices) do
    local entry = not left_out[index] and redis.call('XRANGE', stream, entries[index], entries[index])[1]
    local head = entry and field_of(entry[2], 'r')
    local place = head and split_room_member(head .. member_of('', ''))
    if place and not place.is_other and place.head == head then
      local until_ms, is_grouped = of_queue or 0, place.group ~= ''
      if is_grouped then
        local _, _, _, of_group = limits_of_group(policy, place.group)
        until_ms = math.max(until_ms, of_group or 0)
      end
      if until_ms > now and not (is_grouped and policy.is_strict) then
        fields_of[index] = entry[2]
      end
    end
  end
  return fields_of
end

-- Of the jobs with these indices: those that go to their old places in the room, because the queue or their group is limited for
-- a while. By index, the fields of their entries. A job of a strict group holds its group instead.
local function limited_places(stream, prefix, entries, indices, left_out)
  -- Keys of the wrong type fail no job, and put none back: it waits in the delayed set.
  local is_done, fields_of = pcall(function()
    check_room(prefix)
    return find_limited(stream, prefix, entries, indices, left_out)
  end)
  return is_done and fields_of or {}
end
