package dev.towline.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.towline.testing.Requirement;
import org.junit.jupiter.api.Test;

@Requirement("P6")
final class ProxySizeTest {
  @Test
  void site_ofOneProxy_hasASpareOne() {
    var size = new ProxySize(6000, 0.75);
    assertThat(size.proxies()).isEqualTo(2);
    assertThat(size.clientsPerProxy()).isEqualTo(6000);
    assertThat(size.memoryMib()).isEqualTo(344);
    assertThat(size.uplinkMbit()).isCloseTo(4.986, within(0.001));
    assertThat(size.failoverSeconds()).isCloseTo(25.75, within(0.1));
  }

  @Test
  void site_beyondOneProcess_isSharedEvenly() {
    var size = new ProxySize(40_000, 0);
    assertThat(size.carrying()).isEqualTo(3);
    assertThat(size.proxies()).isEqualTo(4);
    assertThat(size.clientsPerProxy()).isEqualTo(13_334);
  }
}
