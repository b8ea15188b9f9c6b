# Asks again and again until it is told to stop, then says how often it got an answer: ask.pl ADDRESS PORT
use IO::Socket::INET;
$| = 1;
my ($answered, $failed, $stop) = (0, 0, 0);
$SIG{TERM} = sub { $stop = 1 };
$SIG{ALRM} = sub { };
print "asking\n";
until ($stop) {
  my $server = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Timeout => 5);
  my $line;
  if ($server) {
    alarm 5;
    sysread $server, $line, 2;
    alarm 0;
  }
  if (defined $line && $line eq "y\n") {
    $answered++;
  } elsif (!$stop) {
    $failed++;
    print scalar(gmtime), " no answer: ", $server ? "nothing came" : $@, "\n";
  }
  select undef, undef, undef, 0.02;
}
print "answered=$answered failed=$failed\n";
