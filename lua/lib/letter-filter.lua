-- @include lib/pages
-- @include lib/job-filter

-- The dead letters that a caller asks for. ARGV from `at`: '' for any reason, else the reason; then as in lib/job-filter.lua. A
-- text may be in the detail, in the stack, or in the bytes of the Job. Returns a function that says whether the fields of a
-- dead letter are asked for.
local function read_letter_filter(at)
  local reason, is_asked_for = ARGV[at], read_filter(at + 1)
  return function(fields)
    if reason ~= '' and field_of(fields, 'reason') ~= reason then
      return false
    end
    local name, d = field_of(fields, 'n') or '', field_of(fields, 'd') or ''
    return is_asked_for(name, d, field_of(fields, 'detail') or '', field_of(fields, 'stack') or '')
  end
end
