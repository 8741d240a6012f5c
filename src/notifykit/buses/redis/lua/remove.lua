-- ARGV: key.
forget(arg())
forget_two_ended()
finish()
return 1
