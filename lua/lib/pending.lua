-- @include lib/stream-info

-- Who has the entries of a page, by entry id: { consumer, deliveries }. `groups`: from groups_of. An entry that no group has is
-- not in the table.
local function pending_of(stream, groups, entries)
  local first, last = entries[1][1], entries[#entries][1]
  if is_before(last, first) then
    first, last = last, first
  end
  -- More than the page has: entries that were deleted by hand may still be pending.
  local many = 4 * #entries
  local owners = {}
  for _, group in ipairs(groups) do
    -- A group that was set back has entries pending that it will deliver again, so its position says nothing.
    if group.pending > 0 then
      local pending = redis.call('XPENDING', stream, group.name, first, last, many)
      for i = 1, #pending do
        owners[pending[i][1]] = { pending[i][2], pending[i][4] }
      end
      for i = 1, #pending == many and #entries or 0 do
        local one = redis.call('XPENDING', stream, group.name, entries[i][1], entries[i][1], 1)[1]
        owners[entries[i][1]] = owners[entries[i][1]] or one and { one[2], one[4] }
      end
    end
  end
  return owners
end
