# What the boards of the Raspberry Pi share. The file systems and the boot loader are those of the SD
# image, so that a deployed host boots from the card that its image made.
{ lib, pkgs, ... }:

{
  assertions = [
    {
      assertion = pkgs.stdenv.hostPlatform.isAarch64;
      message = ''
        the board is a Raspberry Pi, and the host is ${pkgs.stdenv.hostPlatform.system}: set system = "aarch64-linux" in host.toml, or another board.
      '';
    }
  ];

  boot.loader = {
    grub.enable = lib.mkDefault false;
    generic-extlinux-compatible = {
      enable = lib.mkDefault true;
      configurationLimit = lib.mkDefault 10;
    };
  };

  # Those of the image, in its order: the last one is the screen.
  boot.kernelParams = [
    "console=ttyS0,115200n8"
    "console=ttyAMA0,115200n8"
    "console=tty0"
  ];

  boot.initrd.availableKernelModules = [
    "usb-storage"
    "usbhid"
    "vc4"
  ];

  fileSystems = {
    "/" = {
      device = lib.mkDefault "/dev/disk/by-label/NIXOS_SD";
      fsType = lib.mkDefault "ext4";
      options = [ "noatime" ];
    };
    "/boot/firmware" = {
      device = lib.mkDefault "/dev/disk/by-label/FIRMWARE";
      fsType = lib.mkDefault "vfat";
      options = lib.mkDefault [
        "nofail"
        "noauto"
      ];
    };
  };

  hardware.enableRedistributableFirmware = lib.mkDefault true;

  # Swap in compressed memory: cards wear out, and nothing that was swapped is on a disk.
  zramSwap.enable = lib.mkDefault true;
}
