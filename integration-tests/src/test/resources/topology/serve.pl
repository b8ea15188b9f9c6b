# Answers every connection: serve.pl PORT
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 128, ReuseAddr => 1) or die "listen: $!";
while (1) {
  my $client = $listener->accept or next;
  print $client "y\n";
  close $client;
}
