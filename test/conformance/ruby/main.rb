# What the suite for language hosts asks of every language, in Ruby.
$counter = 0

def echo(input)
  input.fetch('value') { input['__function_input'] }
end

def nothing
  nil
end

def greet(input)
  input.nil? ? 'no input' : 'some input'
end

def count
  $counter += 1
end

def raises(input)
  raise ArgumentError, input['value']
end

def later(input)
  input['value']
end

def no_json
  { 'held' => Object.new }
end

def not_a_number
  Float::NAN
end

def large(input)
  'x' * input['bytes']
end

def print_everywhere(input)
  puts "language #{input['value']}"
  warn "language error #{input['value']}"
  IO.for_fd(1, 'w', autoclose: false).syswrite("descriptor 1 #{input['value']}\n")
  IO.for_fd(2, 'w', autoclose: false).syswrite("descriptor 2 #{input['value']}\n")
  system('sh', '-c', "echo program #{input['value']}")
  nil
end

LINE = ('x' * 1023) + "\n"

def flood(input)
  (input['bytes'] / 1024).times { $stdout.syswrite(LINE) }
  'done'
end

def flood_for_ever
  loop { $stdout.syswrite(LINE) }
end

def sleep_for_ever
  Kernel.sleep(600)
end

def sleeps(input)
  puts((input || {}).fetch('value', 'asleep'))
  sleep_for_ever
end

def prints(input)
  puts input['value']
  Kernel.sleep(0.002)
  nil
end

def attempt(context:)
  context['attempt']
end

def spins
  loop {}
end

# A child, its own child, and one in a session of its own whose parent is gone.
def start_programs(input)
  system('sh', '-c', 'sleep 600 & (setsid sleep 600 & echo $!); echo $!')
  $stdout.syswrite("#{spawn('sleep', '600')}\n")
  sleep_for_ever if input['stay']
end

def leave(input)
  puts 'leaving'
  exit!(input['code'])
end

def crash
  Process.kill('KILL', Process.pid)
  sleep_for_ever
end

def environment
  ENV.to_h
end

def scratch
  File.write('note', 'note')
  { 'cwd' => Dir.pwd, 'home' => ENV.fetch('HOME'), 'tmpdir' => ENV.fetch('TMPDIR'), 'pid' => Process.pid }
end

def identity
  { 'uid' => Process.uid, 'gid' => Process.gid, 'groups' => Process.groups }
end

def descriptors
  Dir.children('/proc/self/fd').to_h do |name|
    [name, File.readlink("/proc/self/fd/#{name}")]
  rescue Errno::ENOENT
    [name, ''] # the one that listed them
  end
end

def read_input
  $stdin.read
end

def hold(input)
  held = 'x' * input['bytes']
  sleep_for_ever if input['stay']
  held.bytesize
end

def sleeps_if_told(input)
  sleep_for_ever if input['stay']
  'awake'
end

def with_context(input, context:)
  [input['value'], context]
end

def returns_twice
  pid = fork
  Process.wait(pid) if pid
  'once'
end

# Names that a host might use for itself.
def bytes(*)
  raise 'the function was called'
end
alias frame bytes
alias check bytes
